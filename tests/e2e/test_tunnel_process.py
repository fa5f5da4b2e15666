"""The tunnel as people run it: three processes, a real engine, the stock client, kill -9."""

import time
from pathlib import Path
from typing import Any, Final

import httpx2
import openai
import psutil
import pytest

from tests.e2e.commands import answer_of, running

_LIST: Final = {"type": "array", "items": {"type": "integer"}, "minItems": 300}
LONG: Final = {"type": "json_schema", "json_schema": {"name": "long", "schema": _LIST}}
"""What no engine has said before its rig is killed."""


@pytest.mark.timeout(90)  # five processes start in turn
def test_rig_behind_a_tunnel_from_its_start_to_its_violent_end(tmp_path: Path) -> None:
    operator, owner, user = (tmp_path / name for name in ("operator", "owner", "user"))
    tracker_command = ("tracker", "--allow-private", "--listen", "127.0.0.1:0")
    with running(operator, *tracker_command) as (_, tracker):
        node_command = ("node", "start", "--tunnel", "--engine", "tiny")
        with running(owner, *node_command, "--tracker", tracker["address"]) as (node, rig):
            origin = tracker["tracker"]
            assert rig["base_url"] == f"{origin}/n/{rig['node_id']}/v1"
            ours = psutil.Process(node.pid)
            listening = [c for c in ours.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
            assert listening == [], "a rig behind a tunnel needs no port"
            while _status(origin, rig["node_id"]) not in ("available", "busy"):
                time.sleep(0.02)  # another process's map: it can only be asked again
            token = answer_of(user, "token", rig["node_id"], "--tracker", tracker["address"])
            client = openai.OpenAI(
                base_url=token["base_url"], api_key=token["token"], max_retries=0
            )
            assert token["base_url"] == rig["base_url"]

            def ask(**more: Any) -> openai.Stream[Any]:
                stream: openai.Stream[Any] = client.chat.completions.create(
                    model=rig["models"][0],
                    messages=[{"role": "user", "content": "Tell me a long story."}],
                    stream=True,
                    **more,
                )
                return stream

            first = [chunk.choices[0].delta.content or "" for chunk in ask()]
            assert "".join(first).strip()
            engines = ours.children(recursive=True)
            stream = ask(response_format=LONG)
            next(iter(stream))
            node.kill()
            with pytest.raises(openai.APIError, match="broke before its reply was complete"):
                for _ in stream:
                    pass
            _end(engines)
            with pytest.raises(openai.InternalServerError) as caught:
                ask()
            assert caught.value.code == "rig_offline"


def _status(origin: str, node_id: str) -> str:
    return str(httpx2.get(f"{origin}/api/v1/nodes/{node_id}").json()["node"]["status"])


def _end(processes: list[psutil.Process]) -> None:
    """The engine of a rig that was killed: nobody else would."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
