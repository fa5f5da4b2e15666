"""`python -m bench proxies`: every kind of load on every server, in turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.bars import Finding, compared
from bench.machine import NOISE_LIMIT
from bench.scenarios import SCENARIOS, Figures, Heat, Laboratory


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """noise: others' work in the noisiest heat that counts, in CPUs, by scenario."""

    figures: Figures
    findings: list[Finding]
    noise: dict[str, float]
    notes: list[str]
    versions: list[str]

    @property
    def errors(self) -> list[str]:
        """The first wrong reply of each window that had one."""
        return [w.error for windows in self.figures.values() for w in windows if w.error]


def compare(
    servers: Sequence[str], scenarios: Sequence[str], *, rounds: int, seconds: float
) -> Comparison:
    """rounds: windows of each server in each scenario, `seconds` long."""
    heats: dict[str, list[Heat]] = {name: [] for name in scenarios}
    with Laboratory(servers) as laboratory:
        for number in range(rounds):
            for name in scenarios:
                heats[name].append(laboratory.quiet_heat(SCENARIOS[name], number, seconds))
        names = [server.name for server in laboratory.servers]
        notes, versions = laboratory.notes, [server.version for server in laboratory.servers]
    figures = {
        (scenario, server): [heat.windows[server] for heat in heats[scenario]]
        for scenario in scenarios
        for server in names
    }
    noise = {name: max(heat.noise for heat in heats[name]) for name in scenarios}
    findings: list[Finding] = []
    for name in scenarios:
        windows = {server: figures[name, server] for server in names}
        findings += compared(name, windows, is_noisy=noise[name] > NOISE_LIMIT)
    return Comparison(
        figures=figures,
        findings=findings,
        noise=noise,
        notes=notes,
        versions=[version for version in versions if version],
    )
