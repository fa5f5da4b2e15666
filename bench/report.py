"""From windows and findings to tables."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from rich.table import Table

from bench.bars import Finding
from bench.load import Result
from bench.scenarios import SCENARIOS, Figures
from bench.spread import Estimate, percentile, relative_range

_BAR_HEADINGS = ("scenario", "of the node proxy", "bar", "measured", "between", "verdict", "note")


def table(figures: Figures) -> Table:
    """Every scenario and server. Rates and costs are medians over rounds; times are percentiles
    over all requests of all rounds."""
    result = Table(title="Medians; ratios count, absolute figures are this machine's")
    result.add_column("scenario")
    result.add_column("server")
    for heading in (
        "requests/s",
        "CPU µs/request",
        "per CPU, nginx = 1",
        "server CPU busy",
        "reads/reply",
        "TTFT p50 ms",
        "p99",
        "added p50 ms",
        "p99",
        "transit p50 ms",
        "errors",
    ):
        result.add_column(heading, justify="right")
    last = ""
    for (scenario, server), windows in figures.items():
        if last not in ("", scenario):
            result.add_section()
        title = SCENARIOS[scenario].title if scenario != last else ""
        last = scenario
        direct = figures.get((scenario, "direct"), [])
        result.add_row(title, server, *_row(windows, figures.get((scenario, "nginx"), []), direct))
    return result


def bars_table(findings: Sequence[Finding]) -> Table:
    """Every bar, what was measured, and whether it holds."""
    colours = {"holds": "green", "doesn't hold": "red"}
    result = Table(title="Bars")
    for heading in _BAR_HEADINGS:
        result.add_column(heading)
    for finding in findings:
        *cells, verdict, note = _cells(finding)
        colour = colours.get(verdict, "yellow")
        result.add_row(*cells, f"[{colour}]{verdict}[/]", note)
    return result


def bars_markdown(findings: Sequence[Finding]) -> str:
    """The same, to be pasted into README.md."""
    rows = [_BAR_HEADINGS, tuple("-" * len(heading) for heading in _BAR_HEADINGS)]
    rows += [_cells(finding) for finding in findings]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def spread_line(figures: Figures) -> str:
    """How far the rounds of the steadiest work lie apart: what no proxy can be blamed for."""
    parts: list[str] = []
    for scenario in SCENARIOS:
        costs = _costs_us(figures.get((scenario, "nginx"), []))
        if costs:
            parts.append(f"{scenario} ±{relative_range(costs) / 2:.0%}")
    return f"nginx's CPU per request between rounds: {', '.join(parts)}" if parts else ""


def _cells(finding: Finding) -> tuple[str, ...]:
    bar, measured = finding.bar, finding.measured
    between = "" if measured is None else _between(measured)
    value = "" if measured is None else f"{_number(measured.value)} {bar.unit}"
    return bar.scenario, bar.what, bar.text, value, between, finding.verdict, finding.note


def _between(measured: Estimate) -> str:
    if measured.low == measured.high:
        return ""
    if math.isinf(measured.low):
        return "too few rounds"
    return f"{_number(measured.low)} to {_number(measured.high)}"


def _number(value: float) -> str:
    """Three digits that count; thousands whole."""
    if math.isinf(value):
        return "∞"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _row(
    windows: Sequence[Result], nginx: Sequence[Result], direct: Sequence[Result]
) -> Iterable[str]:
    cost, floor = _cost_us(windows), _cost_us(nginx)
    yield f"{median(w.requests / w.seconds for w in windows):,.0f}"
    yield f"{cost:,.0f}" if cost else "-"
    yield f"{floor / cost:.4f}"[: 4 if floor > cost / 100 else 6] if cost and floor else "-"
    yield f"{median(w.cpu_seconds / w.seconds for w in windows):.0%}" if cost else "-"
    yield f"{sum(w.reads for w in windows) / max(1, sum(w.requests for w in windows)):.1f}"
    for percent in (50, 99):
        yield f"{_ttft_ms(windows, percent):.2f}"
    for percent in (50, 99):
        added = _ttft_ms(windows, percent) - _ttft_ms(direct, percent)
        yield f"{added:+.2f}" if direct and direct is not windows else "-"
    transits = [us for window in windows for us in window.transit_us]
    yield f"{percentile(transits, 50) / 1000:.2f}" if transits else "-"
    yield str(sum(window.errors for window in windows))


def _costs_us(windows: Sequence[Result]) -> list[float]:
    return [w.cpu_seconds / w.requests * 1e6 for w in windows if w.requests and w.cpu_seconds]


def _cost_us(windows: Sequence[Result]) -> float:
    """CPU time of the server for one request; 0 where none was counted."""
    costs = _costs_us(windows)
    return median(costs) if costs else 0.0


def _ttft_ms(windows: Sequence[Result], percent: float) -> float:
    return percentile([us for window in windows for us in window.ttft_us], percent) / 1000
