"""`python -m bench.sealed`: what sealing costs a rig, next to the same requests in plain.

Rig and engine are processes of their own; counted is the rig's CPU time alone. Rounds take turns
between plain and both kinds of keys, so that what else the machine did hits all alike: only the
ratios of one run say anything.
"""

import http.client
import secrets
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec
from rich.console import Console
from rich.table import Table

from bench.mock_engine import Listening
from bench.processes import Child, cpu_pair, cpu_seconds
from bench.rig import NODE_ID
from luckrig.protocol.subtext.carrier import reply_frames, request_body
from luckrig.protocol.subtext.hpke import Kem, SealingPublicKey
from luckrig.protocol.subtext.items import Body
from luckrig.protocol.subtext.keyring import SEALING_PATH, SealingReply, verify_sealing_keys
from luckrig.protocol.subtext.reply import ReplyOpener
from luckrig.protocol.subtext.request import CARRIER_PATH, Binding, Inner, Sealed, seal_request

CHUNKS: Final = 20
REQUESTS: Final = 150
ROUNDS: Final = 5
FORMS: Final[Mapping[str, tuple[str, bool]]] = {
    "20-chunk streams": ("split", True),
    "streams in one write": ("burst", True),
    "not streamed": ("burst", False),
}
"""Title → the mock engine's model, streamed."""


@dataclass(frozen=True)
class Question:
    """A body, and what its answer is opened with."""

    body: bytes
    sealed: Sealed | None


class Client:
    """One connection to the rig."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._token = token
        reply = msgspec.json.decode(self._ask("GET", SEALING_PATH, None), type=SealingReply)
        published = verify_sealing_keys(reply.sealing, node_id=NODE_ID, now=time.time())
        self._keys: dict[Kem, SealingPublicKey] = {each.key.kem: each.key for each in published}

    def question(self, kem: Kem | None, model: str, *, stream: bool) -> Question:
        """One chat of 1 KB. kem: None for a plain one."""
        body = msgspec.json.encode(_chat(model, stream=stream))
        if kem is None:
            return Question(body, None)
        sealed = seal_request(
            Inner(CARRIER_PATH, body),
            key=self._keys[kem],
            binding=Binding(NODE_ID, self._token),
            secret=secrets.token_bytes(32),
            now=time.time(),
        )
        visible = request_body(sealed.payload, stream=stream, choice=secrets.randbelow(100))
        return Question(visible, sealed)

    def answer(self, question: Question) -> bytes:
        """The visible answer. Raises RuntimeError when it isn't a 200."""
        return self._ask("POST", CARRIER_PATH, question.body)

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer!r}")
        return answer


def _chat(model: str, *, stream: bool) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer briefly, and you say so when in doubt. " * 8},
            {"role": "user", "content": "Why does the tide come twice a day, and not once? " * 8},
        ],
        "max_tokens": 200,
        "stream": stream,
    }


def is_whole(question: Question, answer: bytes) -> bool:
    """Whether every token is there."""
    if question.sealed is not None:
        answer = _opened(question.sealed, answer)
    return answer.count(b" tok") == CHUNKS


def _opened(sealed: Sealed, answer: bytes) -> bytes:
    opener = ReplyOpener(sealed.secret, sealed.encapsulation)
    lines = [line.removeprefix(b"data: ") for line in answer.split(b"\n")]
    frames = [frame for line in lines if line.startswith(b"{") for frame in reply_frames(line)]
    items = [item for frame in frames for item in opener.feed(frame)]
    opener.close()
    return b"".join(item.data for item in items if isinstance(item, Body))


def _round(
    client: Client, cpu: Callable[[], float], questions: list[Question]
) -> tuple[float, int]:
    """(the rig's CPU seconds for a request, bytes of an answer)."""
    began = cpu()
    answers = [client.answer(question) for question in questions]
    used = (cpu() - began) / len(questions)
    if not all(map(is_whole, questions, answers)):
        raise RuntimeError("a reply isn't whole: no figure means anything")
    return used, len(answers[-1])


def measure(client: Client, cpu: Callable[[], float], *, requests: int, rounds: int) -> Table:
    """The table. cpu: seconds that the rig has used so far."""
    table = Table("", "plain, µs", *(f"{kem}, ratio" for kem in get_args(Kem)), "bytes, ratio")
    for title, (model, stream) in FORMS.items():
        used: dict[Kem | None, list[float]] = {}
        size: dict[Kem | None, int] = {}
        for _ in range(rounds):
            for kem in (None, *get_args(Kem)):
                questions = [client.question(kem, model, stream=stream) for _ in range(requests)]
                seconds, size[kem] = _round(client, cpu, questions)
                used.setdefault(kem, []).append(seconds)
        ratios = [
            statistics.median(
                sealed / plain for sealed, plain in zip(used[kem], used[None], strict=True)
            )
            for kem in get_args(Kem)
        ]
        table.add_row(
            title,
            f"{statistics.median(used[None]) * 1e6:.0f}",
            *(f"{ratio:.2f}" for ratio in ratios),
            f"{size['x25519'] / size[None]:.2f}",
        )
    return table


def main() -> None:
    """Print the table."""
    rig_cpu, other_cpu = cpu_pair()
    with ExitStack() as stack:
        engine = Child.module("mock_engine", str(CHUNKS), cpu=other_cpu)
        stack.callback(engine.stop)
        url = f"http://127.0.0.1:{engine.read(Listening).port}"
        rig = Child.module("rig", url, cpu=rig_cpu)
        stack.callback(rig.stop)
        ready = rig.read(Listening)
        client = Client(ready.port, ready.tokens[0])
        pids = rig.pids()
        table = measure(client, lambda: cpu_seconds(pids), requests=REQUESTS, rounds=ROUNDS)
        Console().print(table)


if __name__ == "__main__":
    main()
