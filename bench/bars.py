"""The bars of the node proxy, and what was measured against each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.load import Result
from bench.spread import Estimate, Verdict, estimate, percentile, quotient

Windows = Mapping[str, Sequence[Result]]
"""Server → its windows, one for each round; those of the same round have the same number."""
Round = Mapping[str, Result]
"""Server → its window."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """what: of the node proxy. scenario: whose noise counts; one of SCENARIOS, or the name of a
    measurement of its own. at_least: whether less is worse."""

    scenario: str
    what: str
    limit: float
    at_least: bool = False
    unit: str = "×"

    @property
    def text(self) -> str:
        """≤ 2.5 ×"""
        return f"{'≥' if self.at_least else '≤'} {self.limit:,} {self.unit}"

    def judge(self, measured: Estimate, *, is_noisy: bool = False) -> Verdict:
        """is_noisy: the machine did so much else meanwhile that nothing can be said."""
        if is_noisy:
            return "too noisy"
        low, high = measured.low, measured.high
        if self.at_least:
            low, high = -high, -low
        limit = -self.limit if self.at_least else self.limit
        if high <= limit:
            return "holds"
        return "doesn't hold" if low > limit else "too noisy"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """measured: None when that couldn't be; `note` says why, or what else there is to know."""

    bar: Bar
    measured: Estimate | None
    note: str = ""
    is_noisy: bool = False

    @property
    def verdict(self) -> str:
        """One word or two."""
        if self.measured is None:
            return "not measured"
        return self.bar.judge(self.measured, is_noisy=self.is_noisy)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """A bar that compares servers. servers: those it needs. figure: of one round."""

    bar: Bar
    servers: tuple[str, ...]
    figure: Callable[[Round], float]


def _cost(window: Result) -> float:
    return quotient(window.cpu_seconds, window.requests)


def _per_cpu(than: str) -> Callable[[Round], float]:
    """How many times as much the node proxy does with the same CPU time."""
    return lambda windows: quotient(_cost(windows[than]), _cost(windows["luckrig"]))


def _added(windows: Round, server: str, percent: float) -> float:
    def ttft(name: str) -> float:
        return percentile(windows[name].ttft_us, percent)

    return ttft(server) - ttft("direct")


def _added_to_nginx(percent: float) -> Callable[[Round], float]:
    return lambda windows: quotient(
        _added(windows, "luckrig", percent), _added(windows, "nginx", percent)
    )


_COMPARED: Final = (
    _Compared(
        bar=Bar(
            scenario="short", what="requests per CPU-second, to nginx's", limit=0.7, at_least=True
        ),
        servers=("nginx",),
        figure=_per_cpu("nginx"),
    ),
    _Compared(
        bar=Bar(
            scenario="short", what="requests per CPU-second, to LiteLLM's", limit=100, at_least=True
        ),
        servers=("litellm",),
        figure=_per_cpu("litellm"),
    ),
    _Compared(
        bar=Bar(scenario="paced", what="CPU time of a request, to nginx's", limit=2.5),
        servers=("nginx",),
        figure=lambda windows: quotient(_cost(windows["luckrig"]), _cost(windows["nginx"])),
    ),
    _Compared(
        bar=Bar(scenario="one", what="TTFT added, p50, to nginx's", limit=2),
        servers=("direct", "nginx"),
        figure=_added_to_nginx(50),
    ),
    _Compared(
        bar=Bar(scenario="one", what="TTFT added, p99, to nginx's", limit=4),
        servers=("direct", "nginx"),
        figure=_added_to_nginx(99),
    ),
    _Compared(
        bar=Bar(
            scenario="one", what="TTFT added by LiteLLM, p50, to ours", limit=20, at_least=True
        ),
        servers=("direct", "litellm"),
        figure=lambda windows: quotient(
            _added(windows, "litellm", 50), _added(windows, "luckrig", 50)
        ),
    ),
    _Compared(
        bar=Bar(scenario="paced", what="chunk transit, p50, to nginx's", limit=1.5),
        servers=("nginx",),
        figure=lambda windows: quotient(
            percentile(windows["luckrig"].transit_us, 50),
            percentile(windows["nginx"].transit_us, 50),
        ),
    ),
)


def compared(scenario: str, windows: Windows, *, is_noisy: bool) -> list[Finding]:
    """What the windows of one scenario say, bar by bar. Servers are compared within each round:
    what else the machine did then hit them alike."""
    findings: list[Finding] = []
    for each in _COMPARED:
        if each.bar.scenario != scenario:
            continue
        names = ("luckrig", *each.servers)
        missing = [name for name in names if not windows.get(name)]
        if missing:
            findings.append(Finding(bar=each.bar, measured=None, note=f"no {missing[0]}"))
            continue
        rounds = zip(*(windows[name] for name in names), strict=True)
        samples = [each.figure(dict(zip(names, row, strict=True))) for row in rounds]
        findings.append(Finding(bar=each.bar, measured=estimate(samples), is_noisy=is_noisy))
    return findings
