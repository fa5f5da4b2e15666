"""Real Chromium: pages that try everything a page can to use the sidecar, with its key in hand."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.serve import serving
from tests.client.sidecar.twin import KEY, running_sidecar

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="session")]

ATTEMPTS: Final = """async ([api, key]) => {
  const chat = `${api}/chat/completions`, models = `${api}/models`;
  const body = JSON.stringify({model: "luckrig/auto", messages: []});
  const json = {"content-type": "application/json", authorization: `Bearer ${key}`};
  const loaded = (tag, attribute, url) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve(tag === "iframe" ? "refused" : "loaded");
    element.onerror = () => resolve("refused");
    element[attribute] = url;
    document.body.append(element);
  });
  const form = (kind) => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.name = `frame-${kind}`;
    const sent = document.createElement("form");
    Object.assign(sent, {method: "post", action: chat, enctype: kind, target: frame.name});
    sent.innerHTML = `<input name='{"model":"luckrig/auto","messages":[],"x":"' value='"}'>`;
    document.body.append(frame, sent);
    frame.onload = () => resolve("refused");
    sent.submit();
  });
  const attempts = {
    look: () => fetch(models),
    look_with_key: () => fetch(models, {headers: json}),
    look_blindly: () => fetch(models, {mode: "no-cors"}),
    ask: () => fetch(chat, {method: "POST", headers: json, body}),
    ask_blindly: () => fetch(chat, {method: "POST", mode: "no-cors", body}),
    ask_as_text: () => fetch(chat, {
      method: "POST", mode: "no-cors", headers: {"content-type": "text/plain"}, body}),
    ask_with_blob: () => fetch(chat, {
      method: "POST", mode: "no-cors", body: new Blob([body], {type: "application/json"})}),
    ask_by_xhr: () => new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", chat);
      for (const [name, value] of Object.entries(json)) request.setRequestHeader(name, value);
      request.onload = () => resolve("answered");
      request.onerror = reject;
      request.send(body);
    }),
    beacon: async () => navigator.sendBeacon(chat, body) && "opaque",
    image: () => loaded("img", "src", models),
    script: () => loaded("script", "src", models),
    frame: () => loaded("iframe", "src", models),
    form: () => form("application/x-www-form-urlencoded"),
    form_as_text: () => form("text/plain"),
    events: () => new Promise((resolve, reject) => {
      const source = new EventSource(models);
      source.onopen = () => resolve("answered");
      source.onerror = () => { source.close(); reject(); };
    }),
    websocket: () => new Promise((resolve, reject) => {
      const socket = new WebSocket(chat.replace("http", "ws"));
      socket.onopen = () => resolve("answered");
      socket.onerror = reject;
    }),
  };
  const found = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      const answer = await attempt();
      found[name] = answer instanceof Response ? answer.type : answer;
    } catch { found[name] = "refused"; }
  }
  return found;
}"""
OPAQUE: Final = {"look_blindly", "ask_blindly", "ask_as_text", "ask_with_blob", "beacon"}
"""Whose answer a page can't see, not even that it is a refusal."""


@asynccontextmanager
async def evil_page() -> AsyncGenerator[int]:
    """Its port."""

    async def show(_: Request) -> Response:
        return HTMLResponse("<!doctype html><title>evil</title><body>")

    sock = bind("127.0.0.1", 0)
    async with serving(Starlette(routes=[Route("/", show)]), sock):
        yield urlsplit(origin_of(sock)).port or 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
async def test_no_page_of_another_origin_gets_through(host: str, async_browser: Browser) -> None:
    """127.0.0.1 is the same site, whatever the port; the others aren't."""
    async with (
        running_sidecar() as sidecar,
        evil_page() as port,
    ):
        page = await async_browser.new_page()
        await page.goto(f"http://{host}:{port}/")
        api = f"http://127.0.0.1:{sidecar.port}/v1"
        found: dict[str, Any] = await page.evaluate(ATTEMPTS, [api, KEY])
        assert {name for name, what in found.items() if what != "refused"} <= OPAQUE
        assert len(found) == 16
        assert sidecar.caller.asked == []
        assert sidecar.caller.looks == 0
        assert (await sidecar.get("/v1/models")).status_code == 200


async def test_a_rebound_name_and_a_page_of_no_origin_get_nothing(async_browser: Browser) -> None:
    async with (
        running_sidecar() as sidecar,
        evil_page() as port,
    ):
        page = await async_browser.new_page()
        reply = await page.goto(f"http://evil.example:{sidecar.port}/v1/models")
        assert reply is not None and reply.status == 403
        # What it was refused with is a page of evil.example's own origin: same-origin requests now.
        found: dict[str, Any] = await page.evaluate(
            ATTEMPTS, [f"http://evil.example:{sidecar.port}/v1", KEY]
        )
        assert len(found) == 16
        await page.goto(f"http://localhost:{port}/")
        await page.evaluate(
            """([api, key]) => new Promise((resolve) => {
              const frame = document.createElement("iframe");
              frame.sandbox = "allow-scripts";
              frame.srcdoc = `<script>fetch("${api}/models", {headers: {
                authorization: "Bearer ${key}"}}).finally(() => parent.postMessage(1, "*"))
                .catch(() => 0)</` + "script>";
              onmessage = resolve;
              document.body.append(frame);
            }).then(() => 0)""",
            [f"http://127.0.0.1:{sidecar.port}/v1", KEY],
        )
        assert sidecar.caller.asked == []
        assert sidecar.caller.looks == 0
