"""From windows to a table."""

from collections.abc import Iterable, Sequence
from statistics import median

from rich.table import Table

from bench.load import Result
from bench.scenarios import SCENARIOS, Figures


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


def _row(
    windows: Sequence[Result], nginx: Sequence[Result], direct: Sequence[Result]
) -> Iterable[str]:
    cost, floor = _cost_us(windows), _cost_us(nginx)
    yield f"{median(w.requests / w.seconds for w in windows):,.0f}"
    yield f"{cost:,.0f}" if cost else "-"
    yield f"{floor / cost:.2f}" if cost and floor else "-"
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


def _cost_us(windows: Sequence[Result]) -> float:
    """CPU time of the server for one request; 0 where none was counted."""
    costs = [w.cpu_seconds / w.requests * 1e6 for w in windows if w.requests and w.cpu_seconds]
    return median(costs) if costs else 0.0


def _ttft_ms(windows: Sequence[Result], percent: float) -> float:
    return percentile([us for window in windows for us in window.ttft_us], percent) / 1000


def percentile(values: Sequence[int], percent: float) -> float:
    """The smallest value that is not below `percent` of all; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
