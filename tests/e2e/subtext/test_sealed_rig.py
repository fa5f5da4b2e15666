"""A page asks a rig, sealed: what it gets, what it refuses, and what goes over the wire."""

import json
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.subtext.hpke import SealingPrivateKey
from luckrig.protocol.subtext.request import Opened
from luckrig.web.assets import static_files
from luckrig.web.headers import PAGE_HEADERS
from tests.e2e.subtext.pages import NOW, TOKEN, Answer, Asked, Probe, json_answer, modules

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "潮はなぜ?"}]}
EVENTS = [b": queue position=1 eta=2\n\n", b'data: {"a":1}\n\n', b'data: {"a":2}\n\n',
          b"data: [DONE]\n\n"]  # fmt: skip


def ask(probe: Probe, *asked: dict[str, Any]) -> list[Any]:
    """One page's requests, one after the other."""
    where = {"baseUrl": probe.site.base_url, "nodeId": probe.site.rig.node_id, "now": NOW}
    return list(probe.call("ask", {**where, "asked": list(asked)}))


def request(**more: Any) -> dict[str, Any]:
    return {"path": "/v1/chat/completions", "token": TOKEN, "body": CHAT, **more}


def streamed(**more: Any) -> dict[str, Any]:
    return request(body={**CHAT, "stream": True}, **more)


def stream_events(_: Opened) -> tuple[int, str, dict[str, str], list[bytes]]:
    return 200, "text/event-stream", {"luckrig-quant": "Q8_0"}, EVENTS


def bodies(result: Any) -> list[bytes]:
    return [b64url_decode(piece) for piece in result["pieces"]]


def paths(probe: Probe) -> list[str]:
    return [each.path for each in probe.site.rig.asked]


def test_a_whole_reply(probe: Probe) -> None:
    (result,) = ask(probe, request(path="/v1/responses"))
    assert result["value"] == {
        "status": 200,
        "contentType": "application/json",
        "headers": {"luckrig-quant": "Q4_K_M"},
        "isSealed": True,
    }
    assert json.loads(b"".join(bodies(result))) == CHAT
    keys, chat = probe.site.rig.asked
    assert (keys.path, chat.path) == ("/luckrig/sealing", "/v1/chat/completions")
    assert chat.opened is not None
    assert chat.opened.inner.path == "/v1/responses"
    assert chat.headers["authorization"] == f"Bearer {TOKEN}"
    assert "dpop" not in chat.headers
    # Nobody on the way sees what is asked, nor what for.
    assert b"tiny" not in chat.body
    assert "潮".encode() not in chat.body
    assert json.loads(chat.body).keys() == {"model", "messages", "stream"}
    assert json.loads(chat.body)["stream"] is False
    for each in (keys, chat):
        assert "cookie" not in each.headers
        assert "referer" not in each.headers


def test_a_streamed_reply(probe: Probe) -> None:
    probe.site.rig.reply = stream_events
    (result,) = ask(probe, streamed())
    assert result["value"]["contentType"] == "text/event-stream"
    assert bodies(result) == EVENTS
    assert json.loads(probe.site.rig.asked[1].body)["stream"] is True


@pytest.mark.parametrize("make", [request, streamed])
def test_an_error_inside(probe: Probe, make: Any) -> None:
    """Visible is a 200, as ever; the page gets what the rig really said."""
    error = b'{"error":{"code":"rate_limited"}}'
    probe.site.rig.reply = lambda _: (429, "application/json", {"retry-after": "7"}, [error])
    (result,) = ask(probe, make())
    assert result["error"] is None
    assert (result["value"]["status"], result["value"]["headers"]) == (429, {"retry-after": "7"})
    assert b"".join(bodies(result)) == error


def test_keys_are_asked_for_once(probe: Probe) -> None:
    results = ask(probe, request(), request(), request())
    assert [result["error"] for result in results] == [None] * 3
    assert paths(probe) == ["/luckrig/sealing"] + ["/v1/chat/completions"] * 3
    opened = [each.opened for each in probe.site.rig.asked if each.opened]
    assert (
        len({each.secret for each in opened}) == len({each.encapsulation for each in opened}) == 3
    )


def test_a_proof_goes_with_a_bound_token(probe: Probe) -> None:
    (result,) = ask(probe, request(bound=True))
    assert result["error"] is None
    chat = probe.site.rig.asked[1]
    assert chat.headers["authorization"] == f"DPoP {TOKEN}"
    url = f"{probe.site.base_url}/chat/completions"
    proof = verify_proof(
        chat.headers["dpop"], method="POST", urls=[url], now=NOW, access_token=TOKEN
    )
    proof.check_body(chat.body)
    assert proof.key.thumbprint == result["thumbprint"]


def unknown_key(asked: Asked) -> Answer | None:
    if asked.path == "/luckrig/sealing":
        return None
    return json_answer(400, {"error": {"code": "sealing_key_unknown", "message": "no"}})


def test_new_keys_are_asked_for_once_more(probe: Probe) -> None:
    """The rig started anew between two requests."""
    rig = probe.site.rig

    def forget(asked: Asked) -> Answer | None:
        if len(rig.asked) != 3:  # the second chat
            return None
        rig.sealing_key = SealingPrivateKey("x25519", b"\2" * 32)
        return unknown_key(asked)

    rig.before = forget
    results = ask(probe, request(), request(bound=True))
    assert [result["error"] for result in results] == [None, None]
    keys, chat = "/luckrig/sealing", "/v1/chat/completions"
    assert paths(probe) == [keys, chat, chat, keys, chat]
    assert rig.asked[2].headers["dpop"] != rig.asked[4].headers["dpop"]


def test_and_no_more_than_that(probe: Probe) -> None:
    probe.site.rig.before = unknown_key
    (result,) = ask(probe, request())
    assert result["error"] == "sealing_key_unknown"
    assert paths(probe) == ["/luckrig/sealing", "/v1/chat/completions"] * 2


@pytest.mark.parametrize("code", ["sealed_stale", "sealed_invalid"])
def test_a_refusal_of_what_was_sealed(probe: Probe, code: str) -> None:
    def refuse(asked: Asked) -> Answer | None:
        if asked.path == "/luckrig/sealing":
            return None
        return json_answer(400, {"error": {"code": code, "message": "not to be shown"}})

    probe.site.rig.before = refuse
    (result,) = ask(probe, request())
    assert result["error"] == code
    # Anybody may have written the answer: the sentence is ours.
    assert "not to be shown" not in result["message"]


def test_a_plain_refusal_says_that_it_is_plain(probe: Probe) -> None:
    body = {"error": {"code": "token_expired", "message": "This token has expired."}}
    probe.site.rig.before = lambda asked: (
        None if asked.path == "/luckrig/sealing" else json_answer(401, body)
    )
    (result,) = ask(probe, request())
    assert result["value"] == {
        "status": 401, "contentType": "application/json", "headers": {}, "isSealed": False,
    }  # fmt: skip
    assert json.loads(b"".join(bodies(result))) == body


def test_exchanged_keys_get_nothing(probe: Probe) -> None:
    """Somebody in between signs with a key of theirs: nothing is sent to them."""
    probe.site.rig.node_key = PrivateKey(b"\3" * 32)
    (result,) = ask(probe, request())
    assert result["error"] == "signature_invalid"
    assert paths(probe) == ["/luckrig/sealing"]


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(404, {"error": {"code": "not_found"}}),
        json_answer(200, {"sealing": 3}),
        json_answer(200, []),
        Answer(200, {}, [b"\xff"]),
        Answer(503, {}, []),
    ],
)
def test_a_rig_without_keys(probe: Probe, answer: Answer) -> None:
    probe.site.rig.before = lambda _: answer
    (result,) = ask(probe, request())
    assert result["error"] == "sealing_key_unknown"
    assert paths(probe) == ["/luckrig/sealing"]


def test_expired_keys_are_not_used(probe: Probe) -> None:
    where = {"baseUrl": probe.site.base_url, "nodeId": probe.site.rig.node_id}
    (result,) = probe.call("ask", {**where, "now": NOW + 90_000, "asked": [request()]})
    assert result["error"] == "sealing_key_unknown"
    assert paths(probe) == ["/luckrig/sealing"]


@pytest.mark.parametrize("make", [request, streamed])
@pytest.mark.parametrize(
    "answer",
    [
        json_answer(200, {"choices": [{"message": {"role": "assistant", "content": "Hi!"}}]}),
        Answer(200, {"content-type": "text/event-stream"}, [
            b'data: {"choices":[{"delta":{"content":"Hi!"}}]}\n\n', b"data: [DONE]\n\n",
        ]),
        Answer(200, {"content-type": "text/html"}, [b"<p>Sign in to this network"]),
        Answer(200, {}, []),
    ],
)  # fmt: skip
def test_a_plain_answer_is_never_taken_for_the_rigs(
    probe: Probe, make: Any, answer: Answer
) -> None:
    probe.site.rig.before = lambda asked: None if asked.path == "/luckrig/sealing" else answer
    (result,) = ask(probe, make())
    assert (result["error"], result["pieces"]) == ("sealed_invalid", [])
    assert "head" not in result


@pytest.mark.parametrize("left", [1, 3, 6])
def test_a_stream_that_somebody_ends_early(probe: Probe, left: int) -> None:
    probe.site.rig.reply = stream_events
    probe.site.rig.after = lambda whole: replace(whole, chunks=whole.chunks[:left])
    (result,) = ask(probe, streamed())
    assert result["error"] == "sealed_invalid"
    assert bodies(result) == EVENTS[: left - 1]
    assert "cut off" in result["message"]


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_connection_that_breaks(probe: Probe, left: int) -> None:
    """A browser may drop what came just before; never is anything else handed out."""
    probe.site.rig.reply = stream_events
    probe.site.rig.after = lambda whole: replace(whole, chunks=whole.chunks[:left], end="cut")
    (result,) = ask(probe, streamed())
    assert result["error"] == "sealed_invalid"
    assert bodies(result) == EVENTS[: len(result["pieces"])]


def test_a_page_can_stop(probe: Probe) -> None:
    """Nothing comes any more, and the rig notices, so that its engine is free again."""
    answers: list[Answer] = []

    def held(whole: Answer) -> Answer:
        answers.append(replace(whole, chunks=whole.chunks[:4], end="held"))
        return answers[0]

    probe.site.rig.reply = stream_events
    probe.site.rig.after = held
    (result,) = ask(probe, streamed(abortAfter=1))
    assert result["fault"] == "AbortError"
    assert bodies(result) == EVENTS[:1]
    assert answers[0].has_left.wait(timeout=20)


def test_more_than_a_frame_holds(probe: Probe) -> None:
    (result,) = ask(probe, request(body={"text": "x" * (1 << 20)}))
    assert result["error"] == "body_too_large"
    assert probe.site.rig.asked == []


def test_redirects_lead_nowhere(probe: Probe) -> None:
    probe.site.rig.before = lambda _: Answer(307, {"location": "https://elsewhere.test/"}, [])
    (result,) = ask(probe, request())
    assert result["fault"] == "TypeError"


def test_pages_from_https_or_localhost_can_seal(probe: Probe) -> None:
    assert probe.call("whyNotSealed") is None


def test_a_page_over_plain_http_says_why_not(browser: Browser) -> None:
    """A tracker on a LAN without a certificate: there is no WebCrypto, and the page must say so."""
    files = static_files()
    context = browser.new_context()

    def answer(route: Route) -> None:
        path = "/" + route.request.url.split("/", 3)[3]
        if path in files:
            route.fulfill(body=files[path].content, content_type=files[path].media_type)
        else:
            html = "<!doctype html><title>LAN</title>"
            route.fulfill(body=html, content_type="text/html", headers=dict(PAGE_HEADERS))

    context.route("**/*", answer)
    page = context.new_page()
    page.goto("http://tracker.test/")
    script = "async (url) => (await import(url)).whyNotSealed()"
    why = page.evaluate(script, f"{modules()}/support.js")
    assert "https" in why
    assert "`luckrig connect`" in why
    assert "`ssh -L 8080:tracker.test:80 tracker.test`" in why
    assert "http://localhost:8080/." in why
    context.close()
