"""GET /metrics: what the instruments say, in Prometheus' text format 0.0.4.

A label's value is a name of ours, a number, the category of a rule or the name of an offered model:
nothing that a client sends, and nothing that an engine says in a reply, ever becomes one.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, Literal, NamedTuple, get_args

from luckrig.nodeproxy.counters import BUCKETS, Histogram
from luckrig.nodeproxy.engines.base import EngineStatus
from luckrig.nodeproxy.telemetry import Instruments
from luckrig.protocol.telemetry import GpuReading

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
MAX_MODELS: Final = 64  # as in a descriptor
NO_ENDPOINT: Final = "none"
"""The label of requests that found no route."""

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Sample(NamedTuple):
    """One line. suffix: of the family's name."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Family(NamedTuple):
    """One metric with its samples; without any it isn't written. name: as after `luckrig_`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Iterable[Sample]


def write_metrics(instruments: Instruments) -> bytes:
    """The whole document."""
    families = (
        *_state(instruments),
        *_requests(instruments),
        *_work(instruments),
        *_checks(instruments),
        *_machine(instruments),
    )
    return b"".join(_write(family) for family in families)


def _write(family: Family) -> bytes:
    name = f"luckrig_{family.name}"
    lines = [_line(name, sample) for sample in family.samples]
    if not lines:
        return b""
    head = f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
    return (head + "".join(lines)).encode("utf-8", "replace")


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(
        f'{label}="{value.translate(_ESCAPES)}"' for label, value in sample.labels.items()
    )
    return f"{name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {sample.value!r}\n"


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [Sample(value)]


def _each(label: str, values: Mapping[str, int]) -> list[Sample]:
    return [Sample(value, {label: name}) for name, value in values.items()]


def _histogram(histogram: Histogram) -> Iterator[Sample]:
    bounds = [*map(repr, BUCKETS), "+Inf"]
    *_, total = sums = list(accumulate(histogram.counts))
    for bound, count in zip(bounds, sums, strict=True):
        yield Sample(count, {"le": bound}, "_bucket")
    yield Sample(histogram.seconds, suffix="_sum")
    yield Sample(total, suffix="_count")


def _state(instruments: Instruments) -> Iterator[Family]:
    state = instruments.watch.state
    states = {name: int(name == state.status) for name in get_args(EngineStatus)}
    models = {offer.model: 1 for offer in state.offers[:MAX_MODELS]}
    yield Family(
        "engine_state", "gauge", "1 for the state that the engine is in.", _each("state", states)
    )
    yield Family("model_offered", "gauge", "1 for each model on offer.", _each("model", models))
    queue = instruments.queue
    yield Family("active", "gauge", "Requests at the engine.", _one(queue.active))
    yield Family("waiting", "gauge", "Requests that wait for a turn.", _one(queue.waiting))
    yield Family(
        "max_active", "gauge", "Requests that may be at the engine at once.", _one(queue.max_active)
    )
    yield Family("max_waiting", "gauge", "Requests that may wait.", _one(queue.max_waiting))


def _requests(instruments: Instruments) -> Iterator[Family]:
    counters, connections = instruments.counters, instruments.connections
    requests = [
        Sample(number, {"endpoint": endpoint or NO_ENDPOINT, "code": code})
        for (endpoint, code), number in counters.requests.items()
    ]
    yield Family(
        "requests_total", "counter", "Requests that are over: ok, client_gone, or an error's code.",
        requests,
    )  # fmt: skip
    yield Family(
        "served_total", "counter", "Replies that came to their end.", _one(counters.served)
    )
    yield Family(
        "failed_total", "counter", "Requests that the engine or the rig failed.",
        _one(counters.failed),
    )  # fmt: skip
    yield Family(
        "error_share", "gauge", "Failed ones of the last 100 requests that reached the engine.",
        _one(counters.error_share),
    )  # fmt: skip
    yield Family("connections", "gauge", "Clients that are connected.", _one(connections.open))
    yield Family(
        "connections_turned_away_total", "counter", "Connections that were one too many.",
        _one(connections.turned_away),
    )  # fmt: skip
    yield Family(
        "malformed_total", "counter", "Requests refused before their route was known.",
        _one(connections.malformed),
    )  # fmt: skip


def _work(instruments: Instruments) -> Iterator[Family]:
    counters, receipts = instruments.counters, instruments.receipts
    yield Family(
        "prompt_tokens_total", "counter", "Tokens of prompts whose replies are over.",
        _one(counters.prompt_tokens),
    )  # fmt: skip
    yield Family(
        "completion_tokens_total", "counter", "Tokens generated.", _one(counters.completion_tokens)
    )
    yield Family(
        "tokens_per_second", "gauge", "Tokens generated a second, over the last minute.",
        _one(counters.tokens_per_second or 0.0),
    )  # fmt: skip
    yield Family(
        "queue_wait_seconds", "histogram", "How long requests waited for their turn.",
        _histogram(counters.queue_wait),
    )  # fmt: skip
    yield Family(
        "first_token_seconds", "histogram", "From the turn to the first token.",
        _histogram(counters.first_token),
    )  # fmt: skip
    yield Family(
        "receipts_waiting", "gauge", "Receipts that wait for the tracker.", _one(len(receipts))
    )
    yield Family("receipts_lost_total", "counter", "Receipts that were lost.", _one(receipts.lost))


def _checks(instruments: Instruments) -> Iterator[Family]:
    hits = instruments.counters.rule_hits
    yield Family(
        "rule_hits_total", "counter", "Requests that a rule refused.", _each("category", hits)
    )
    flags, recorder = instruments.flags, instruments.recorder
    if flags is not None:
        noted = {str(direction): number for direction, number in flags.noted.items()}
        yield Family(
            "moderation_flags_total", "counter", "Texts that the moderation service flagged.",
            _each("direction", noted),
        )  # fmt: skip
    if recorder is not None:
        yield Family(
            "moderation_unchecked_total", "counter", "Parts of replies that went out unchecked.",
            _one(recorder.dropped + recorder.failed),
        )  # fmt: skip


_GPU_METRICS: Final = (
    ("gpu_memory_used_bytes", "memory_used_bytes", "The GPU's own memory in use."),
    ("gpu_memory_total_bytes", "memory_total_bytes", "The GPU's own memory."),
    ("gpu_utilization", "utilization", "How busy the GPU is, 0 to 1."),
    ("gpu_celsius", "celsius", "The GPU's temperature."),
    ("gpu_watts", "watts", "The power that the GPU draws."),
)


def _machine(instruments: Instruments) -> Iterator[Family]:
    condition = instruments.sensors.latest()
    yield Family("memory_used_bytes", "gauge", "Memory in use.", _one(condition.memory_used_bytes))
    yield Family("memory_total_bytes", "gauge", "Memory.", _one(condition.memory_total_bytes))
    for name, field, meaning in _GPU_METRICS:
        yield Family(name, "gauge", meaning, _by_gpu(condition.gpus, field))


def _by_gpu(gpus: Iterable[GpuReading], field: str) -> Iterator[Sample]:
    for number, gpu in enumerate(gpus):
        value: float | None = getattr(gpu, field)
        if value is not None:
            yield Sample(value, {"gpu": str(number)})
