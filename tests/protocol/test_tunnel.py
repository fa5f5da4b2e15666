"""The tunnel's rules, without sockets: honest ends never disagree, and nothing gets past one."""

import pickle
from collections import deque
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tunnel import ends
from luckrig.protocol.tunnel.ends import NodeEnd, TrackerEnd
from luckrig.protocol.tunnel.frames import (
    MAX_PAYLOAD_BYTES,
    WINDOW_BYTES,
    GoAway,
    Hello,
    Kind,
    OpenHead,
    ReplyHead,
    ResetCode,
    Violation,
    frame,
    json_frame,
)
from luckrig.protocol.tunnel.proof import (
    Challenge,
    ClockOff,
    make_tunnel_proof,
    verify_tunnel_proof,
)

KEY = PrivateKey(b"node" * 8)
ROOT_ID = derive_id("r1", PrivateKey(b"root" * 8).public)
NONCE = "n" * 22
HELLO = Hello(version=1, root_id=ROOT_ID, nonce=NONCE)
ASK = OpenHead(method="POST", path="/v1/chat/completions", headers=[("accept", "*/*")])
ANSWER = ReplyHead(status=200, headers=[("content-type", "text/event-stream")])
FUZZED_FRAMES = 100_000


def connected(max_streams: int = 64) -> tuple[TrackerEnd, NodeEnd]:
    """Both ends after a good handshake."""
    tracker, node = TrackerEnd(), NodeEnd()
    hello = node.receive(tracker.hello(msgspec.structs.replace(HELLO, max_streams=max_streams)))
    assert isinstance(hello, Hello)
    assert tracker.receive(node.proof("a.b.c")) == ends.Proved("a.b.c")
    assert node.receive(tracker.ready()) == ends.Readied()
    return tracker, node


def opened() -> tuple[TrackerEnd, NodeEnd, int]:
    """The same with one stream."""
    tracker, node = connected()
    stream, data = tracker.open(ASK)
    assert node.receive(data) == ends.Opened(stream, ASK)
    return tracker, node, stream


def test_a_request_and_its_answer() -> None:
    tracker, node, stream = opened()
    assert node.receive(tracker.data(stream, b"question")) == ends.Arrived(stream, b"question")
    assert node.receive(tracker.end(stream)) == ends.Ended(stream)
    assert tracker.receive(node.head(stream, ANSWER)) == ends.Headed(stream, ANSWER)
    assert tracker.receive(node.data(stream, b"answer")) == ends.Arrived(stream, b"answer")
    assert tracker.receive(node.end(stream)) == ends.Ended(stream)
    assert tracker.streams == node.streams == 0


def test_credit_runs_out_and_comes_back() -> None:
    tracker, node, stream = opened()
    tracker.receive(node.head(stream, ANSWER))
    while size := node.sendable(stream):
        tracker.receive(node.data(stream, bytes(size)))
    with pytest.raises(ValueError, match="no credit"):
        node.data(stream, b"x")
    assert node.receive(tracker.credit(stream, 1000)) == ends.Credited(stream)
    assert node.sendable(stream) == 1000
    with pytest.raises(ValueError, match="more credit"):
        tracker.credit(stream, WINDOW_BYTES)


def test_resets_that_cross_end_the_stream_at_both_ends() -> None:
    tracker, node, stream = opened()
    one, other = tracker.reset(stream, ResetCode.CANCELLED), node.reset(stream, ResetCode.FAILED)
    assert tracker.receive(other) is None
    assert node.receive(one) is None
    assert tracker.streams == node.streams == 0


def test_frames_that_were_under_way_when_a_stream_was_given_up_are_dropped() -> None:
    tracker, node, stream = opened()
    late = [node.head(stream, ANSWER), node.data(stream, b"late"), node.end(stream)]
    reset = tracker.reset(stream, ResetCode.CANCELLED)
    assert [tracker.receive(data) for data in late] == [None, None, None]
    assert node.receive(reset) == ends.Broken(stream, ResetCode.CANCELLED, b"")
    assert tracker.streams == node.streams == 0


def test_a_stream_given_up_counts_until_the_other_end_agrees() -> None:
    tracker, node = connected(max_streams=1)
    stream, data = tracker.open(ASK)
    node.receive(data)
    reset = tracker.reset(stream, ResetCode.CANCELLED)
    assert not tracker.can_open()
    broken = node.receive(reset)
    assert isinstance(broken, ends.Broken)
    tracker.receive(broken.answer)
    assert tracker.can_open()


def test_control_frames() -> None:
    tracker, node = connected()
    ping = tracker.ping(b"12345678")
    assert ping is not None
    assert tracker.ping(b"87654321") is None, "the first one wasn't answered"
    pinged = node.receive(ping)
    assert isinstance(pinged, ends.Pinged)
    assert tracker.receive(pinged.answer) == ends.Ponged()
    telemetry = Telemetry(status="paused", active=1)
    assert tracker.receive(node.heartbeat(telemetry)) == ends.Beat(telemetry)
    assert node.receive(tracker.revoked()) == ends.Revoked()
    why = GoAway(reason="replaced", message="Another one.", retry_seconds=30)
    assert node.receive(tracker.go_away(why)) == ends.Left(why)
    assert tracker.receive(node.go_away(why)) == ends.Left(why)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x07\0\0",
        bytes(5 + MAX_PAYLOAD_BYTES + 1),
        frame(Kind.DATA, 1),
        frame(Kind.DATA, 2, b"x"),
        frame(Kind.END, 2),
        frame(Kind.END, 1),
        frame(Kind.RESET, 2, b"\1"),
        frame(Kind.RESET, 1),
        frame(Kind.CREDIT, 2, b"\0\0\0\1"),
        frame(Kind.CREDIT, 1, b"\0\0\0\0"),
        frame(Kind.CREDIT, 1, b"\0\0\0\1"),
        frame(Kind.CREDIT, 1, b"\xff\xff\xff\xff"),
        json_frame(Kind.HEAD, 2, ANSWER),
        json_frame(Kind.OPEN, 1, ASK),
        frame(Kind.HEAD, 1, b"{}"),
        frame(Kind.HEAD, 1, b"[" * 30_000),
        frame(Kind.HEAD, 1, b'{"status":101,"headers":[]}'),
        frame(Kind.HEAD, 1, b'{"status":200,"headers":[["a","b\\r\\nc: d"]]}'),
        frame(Kind.HEAD, 1, b'{"status":200,"headers":[["a: b\\r\\nc","d"]]}'),
        frame(Kind.PING, 0, b"12345678"),
        frame(Kind.PONG, 0, b"12345678"),
        frame(Kind.PONG, 0),
        frame(Kind.PROOF, 0, b"a.b.c"),
        frame(Kind.HEARTBEAT, 0, b"{}"),
        frame(Kind.HEARTBEAT, 0, b"[" * 60_000),
        frame(Kind.GOAWAY, 0, b"bye"),
        frame(Kind.HELLO, 0),
        b"\x63\0\0\0\0",
        b"\x63\0\0\0\1",
    ],
)
def test_hostile_frames_are_violations(data: bytes) -> None:
    """At a tracker with one stream open; most of it comes too early, or names another stream."""
    tracker, _, _ = opened()
    with pytest.raises(Violation):
        tracker.receive(data)


def test_a_node_refuses_more_streams_than_it_was_told_and_ids_used_before() -> None:
    tracker, node = connected(max_streams=2)
    for _ in range(2):
        node.receive(tracker.open(ASK)[1])
    with pytest.raises(Violation, match="too many"):
        node.receive(json_frame(Kind.OPEN, 3, ASK))
    with pytest.raises(ValueError, match="no room"):
        tracker.open(ASK)
    node.receive(node.reset(2, ResetCode.FAILED) and tracker.reset(2, ResetCode.CANCELLED))
    with pytest.raises(Violation, match="repeats"):
        node.receive(json_frame(Kind.OPEN, 2, ASK))


def test_nothing_but_the_handshake_comes_first() -> None:
    for data in (frame(Kind.DATA, 1, b"x"), frame(Kind.PONG, 0, bytes(8)), frame(Kind.READY, 0)):
        with pytest.raises(Violation):
            TrackerEnd().receive(data)
        with pytest.raises(Violation):
            NodeEnd().receive(data)
    tracker = TrackerEnd()
    tracker.receive(frame(Kind.PROOF, 0, b"a.b.c"))
    with pytest.raises(Violation):
        tracker.receive(frame(Kind.PROOF, 0, b"a.b.c"))


def test_heartbeats_are_counted() -> None:
    tracker, node = connected()
    beat = node.heartbeat(Telemetry(status="available"))
    for _ in range(ends.MAX_HEARTBEATS):
        tracker.receive(beat)
    with pytest.raises(Violation, match="HEARTBEAT"):
        tracker.receive(beat)


class Pair:
    """Two honest ends with wires between them that deliver in order, whenever a test says."""

    def __init__(self) -> None:
        self.tracker, self.node = connected(max_streams=4)
        self.down: deque[bytes] = deque()
        self.up: deque[bytes] = deque()
        self.asking: set[int] = set()
        self.answering: set[int] = set()
        self.sent: dict[tuple[str, int], int] = {}
        self.got: dict[tuple[str, int], int] = {}
        self.whole: set[tuple[str, int]] = set()

    def step(self, action: int, pick: int, size: int) -> None:
        """One thing happens."""
        match action:
            case 0 if self.tracker.can_open():
                stream, data = self.tracker.open(ASK)
                self.down.append(data)
                self.asking.add(stream)
            case 1:
                self.deliver_down()
            case 2:
                self.deliver_up()
            case 3 if self.asking:
                self.send(self.tracker, self.asking, self.down, "ask", pick, size)
            case 4 if self.answering:
                self.send(self.node, self.answering, self.up, "answer", pick, size)
            case 5 if size < 40:
                stream = pick % 8 + 1
                self.asking.discard(stream)
                self.put(self.down, self.tracker.reset(stream, ResetCode.CANCELLED))
            case 6 if size < 40:
                stream = pick % 8 + 1
                self.answering.discard(stream)
                self.put(self.up, self.node.reset(stream, ResetCode.FAILED))
            case _:
                pass

    def send(
        self,
        end: TrackerEnd | NodeEnd,
        open_streams: set[int],
        wire: deque[bytes],
        what: str,
        pick: int,
        size: int,
    ) -> None:
        """Some of a body, or its end."""
        stream = sorted(open_streams)[pick % len(open_streams)]
        if size < 10:
            open_streams.discard(stream)
            wire.append(end.end(stream))
        elif room := min(size, end.sendable(stream)):
            self.sent[what, stream] = self.sent.get((what, stream), 0) + room
            wire.append(end.data(stream, bytes(room)))

    def deliver_down(self) -> None:
        """The node gets the oldest frame of the tracker's."""
        if self.down:
            event = self.node.receive(self.down.popleft())
            if isinstance(event, ends.Opened):
                self.up.append(self.node.head(event.stream, ANSWER))
                self.answering.add(event.stream)
            self.take(event, self.node, self.up, self.answering, "ask")

    def deliver_up(self) -> None:
        """The tracker gets the oldest frame of the node's."""
        if self.up:
            event = self.tracker.receive(self.up.popleft())
            self.take(event, self.tracker, self.down, self.asking, "answer")

    def take(
        self,
        event: ends.Event | None,
        end: TrackerEnd | NodeEnd,
        wire: deque[bytes],
        open_streams: set[int],
        what: str,
    ) -> None:
        """What an end does with an event: count bodies, give credit, answer resets."""
        match event:
            case ends.Arrived(stream, data):
                self.got[what, stream] = self.got.get((what, stream), 0) + len(data)
                self.put(wire, end.credit(stream, len(data)))
            case ends.Ended(stream):
                self.whole.add((what, stream))
            case ends.Broken(stream, _, answer):
                open_streams.discard(stream)
                self.put(wire, answer)
            case _:
                pass

    @staticmethod
    def put(wire: deque[bytes], data: bytes) -> None:
        """A frame, unless there is none."""
        if data:
            wire.append(data)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 7), st.integers(0, MAX_PAYLOAD_BYTES)),
        max_size=200,
    )
)
def test_two_honest_ends_never_disagree(steps: list[tuple[int, int, int]]) -> None:
    """Whatever they do, and however late frames are: no Violation, bodies whole, nothing left."""
    pair = Pair()
    for action, pick, size in steps:
        pair.step(action, pick, size)
    for streams, end, wire in (
        (pair.asking, pair.tracker, pair.down),
        (pair.answering, pair.node, pair.up),
    ):
        for stream in tuple(streams):
            pair.put(wire, end.reset(stream, ResetCode.CANCELLED))
    while pair.down or pair.up:
        pair.deliver_down()
        pair.deliver_up()
        for stream in tuple(pair.answering):
            pair.put(pair.up, pair.node.reset(stream, ResetCode.CANCELLED))
            pair.answering.discard(stream)
    assert pair.tracker.streams == pair.node.streams == 0
    for key in pair.whole:
        assert pair.got.get(key, 0) == pair.sent.get(key, 0)


def _hostile_frame(rng: Random, honest: list[bytes]) -> bytes:
    """An honest frame, one with changed bytes, or noise with a likely head."""
    kind = rng.randrange(8)
    if kind < 5:
        return rng.choice(honest)
    if kind == 5:
        changed = bytearray(rng.choice(honest))
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    size = rng.choice((0, 1, 4, 8, 40, 300))
    stream = rng.choice((0, 1, 2, 3, 64, 2**32 - 1))
    return bytes((rng.randrange(0x12),)) + stream.to_bytes(4) + rng.randbytes(size)


def _honest_frames(side: str) -> list[bytes]:
    """Every kind of frame that this end may get, on four streams of which three are open."""
    common = [
        *(frame(Kind.DATA, stream, b"data") for stream in range(1, 5)),
        *(frame(Kind.END, stream) for stream in range(1, 5)),
        *(frame(Kind.RESET, stream, b"\1") for stream in range(1, 5)),
        *(frame(Kind.CREDIT, stream, b"\0\0\0\1") for stream in range(1, 5)),
        json_frame(Kind.GOAWAY, 0, GoAway(reason="bye")),
    ]
    if side == "node":
        return [
            *common,
            *(json_frame(Kind.OPEN, stream, ASK) for stream in range(1, 20)),
            json_frame(Kind.HELLO, 0, HELLO),
            *[frame(Kind.PING, 0, b"12345678"), frame(Kind.REVOKED, 0)] * 8,
        ]
    return [
        *common,
        *(json_frame(Kind.HEAD, stream, ANSWER) for stream in range(1, 4)),
        frame(Kind.PROOF, 0, b"a.b.c"),
        *[json_frame(Kind.HEARTBEAT, 0, Telemetry(status="available"))] * 16,
    ]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("side", ["tracker", "node"])
def test_fuzzed_frames_are_events_or_violations(side: str) -> None:
    """Nothing else is ever raised, and memory stays bounded by MAX_STREAMS."""
    rng = Random(side)  # noqa: S311 -- a failed test must fail again
    honest = _honest_frames(side)
    tracker, node = connected()
    for _ in range(3):
        node.receive(tracker.open(ASK)[1])
    pair = (tracker, TrackerEnd()) if side == "tracker" else (node, NodeEnd())
    busy, new = map(pickle.dumps, pair)  # copied from more quickly than by deepcopy
    taken = refused = 0
    end: TrackerEnd | NodeEnd | None = None
    for _ in range(FUZZED_FRAMES):
        if end is None:
            fresh: TrackerEnd | NodeEnd = pickle.loads(  # noqa: S301 -- we wrote it
                busy if rng.random() < 0.9 else new
            )
            end = fresh
        try:
            end.receive(_hostile_frame(rng, honest))
            taken += 1
        except Violation:
            refused += 1
            end = None
        else:
            assert end.streams <= 64
    assert taken > FUZZED_FRAMES / 10
    assert refused > FUZZED_FRAMES / 10


CHALLENGE = Challenge(root_id=ROOT_ID, origin="https://tracker.example", nonce=NONCE)


def test_proof_says_who_connects() -> None:
    text = make_tunnel_proof(CHALLENGE, key=KEY, now=1000, takes_over=True)
    claims = verify_tunnel_proof(text, CHALLENGE, now=1059)
    assert (claims.node_id, claims.takes_over) == (derive_id("n1", KEY.public), True)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("root_id", derive_id("r1", KEY.public), "another root key"),
        ("origin", "https://evil.example", "this tracker's address is"),
        ("nonce", "m" * 22, "another connection"),
    ],
)
def test_proof_for_anything_else_is_refused(field: str, value: str, why: str) -> None:
    other = Challenge(**{
        "root_id": ROOT_ID, "origin": CHALLENGE.origin, "nonce": NONCE, field: value,
    })  # fmt: skip
    text = make_tunnel_proof(other, key=KEY, now=1000, takes_over=True)
    with pytest.raises(PeerError, match=why):
        verify_tunnel_proof(text, CHALLENGE, now=1000)


@pytest.mark.parametrize(("now", "text"), [(400, "600 s ahead of"), (1600, "600 s behind")])
def test_a_wrong_clock_is_told_how_wrong(now: int, text: str) -> None:
    proof = make_tunnel_proof(CHALLENGE, key=KEY, now=1000, takes_over=True)
    with pytest.raises(ClockOff, match=text):
        verify_tunnel_proof(proof, CHALLENGE, now=now)


def test_no_bit_of_a_proof_can_be_changed() -> None:
    text = make_tunnel_proof(CHALLENGE, key=KEY, now=1000, takes_over=False).encode("ascii")
    for index in range(len(text)):
        changed = bytearray(text)
        changed[index] ^= 1
        with pytest.raises(PeerError):
            verify_tunnel_proof(changed.decode("latin-1"), CHALLENGE, now=1000)
