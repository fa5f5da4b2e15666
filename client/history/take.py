"""Watches one reply on its way to whoever asked, and makes its replay in the end."""

import re
from dataclasses import dataclass
from typing import Final

from luckrig.client.calls import Reply
from luckrig.client.history.recorder import Asked, Recorder
from luckrig.client.history.replay import Outcome, Replay, Rig
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.events import SseSplitter

_QUEUE: Final = re.compile(rb"^: queue position=(\d{1,9}) eta=(\d{1,9}(?:\.\d+)?|unknown)", re.M)
_MAX_LABEL_CHARS: Final = 200


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is known of a request before a rig answers. at: seconds of a monotonic clock."""

    replay_id: str
    created_at: float
    at: float
    tracker: str | None
    path: str
    body: bytes


class Take:
    """Watches one reply pass by. Whatever a rig sends, nothing here raises."""

    def __init__(self, question: Question, reply: Reply, *, is_stream: bool) -> None:
        """is_stream: whether one was asked for."""
        asked = Asked(
            replay_id=question.replay_id,
            created_at=question.created_at,
            tracker=question.tracker,
            rig=rig_of(reply),
            endpoint=question.path,
            request=question.body,
            streamed=is_stream,
            mode="subtext" if reply.subtext else "plain",
        )
        self._recorder = Recorder(asked, sent_at=question.at)
        self._splitter: SseSplitter | None = SseSplitter()
        self._is_refusal = reply.status != 200
        self._may_have_failed = self._is_refusal

    def piece(self, data: bytes, at: float) -> None:
        """The next bytes of a stream."""
        if self._splitter is None:
            return
        if b'"error"' in data:
            self._may_have_failed = True
        if data.startswith(b":"):
            for position, eta in _QUEUE.findall(data):
                wait = None if eta == b"unknown" else float(eta)
                self._recorder.queued(int(position), wait, at)
        try:
            for event in self._splitter.feed(data):
                self._recorder.see(event.data, at)
        except LuckrigError:  # an event without end: whoever asked gets it, the replay ends here
            self._splitter = None

    def whole(self, body: bytes, at: float) -> None:
        """A reply in one piece."""
        self._recorder.whole(body, at)

    def end(self, outcome: Outcome, at: float, error: str | None) -> Replay:
        """What became of it; takes as long as reading the request does."""
        replay = self._recorder.end(outcome, at, error_code=error)
        if outcome == "complete" and self._may_have_failed:
            failed = self._recorder.end("failed", at)
            return failed if failed.error_code is not None or self._is_refusal else replay
        return replay


def rig_of(reply: Reply) -> Rig:
    """Which rig answered, as a replay keeps it."""
    view = reply.rig
    offer = next((each for each in view.offers if each.model == reply.model), None)
    return Rig(
        node_id=view.id,
        name=_label(view.name),
        gpu=_label(view.hardware.gpu),
        vram_bytes=view.hardware.vram_bytes,
        engine=view.engine.kind,
        model=_label(reply.model) or "",
        family=None if offer is None else _label(offer.family),
        quantization=None if offer is None else _label(offer.quantization),
        context_length=None if offer is None else offer.context_length,
    )


def _label(text: str | None) -> str | None:
    return None if text is None else text[:_MAX_LABEL_CHARS]
