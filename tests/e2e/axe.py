"""axe-core, as npm installed it for `make test`, and what counts of what it finds.

Pages it looks at prefer reduced motion: half-way through a transition a text may have any contrast.
"""

from typing import Any, Final

from tests.e2e.test_clients_node import FOLDER, install_client

ALIKE: Final = (
    ".cards > .rig:nth-child(n + 6)",
    "tbody[data-node]:nth-of-type(n + 6)",
    ".marks > a:nth-child(n + 9)",
    ".call + .call",
)
"""More of the same, at which axe would spend most of its time."""
_TELL: Final = """found => ({
  engine: found.testEngine.name,
  passes: found.passes.length,
  violations: found.violations.map(({ id, help, impact, nodes }) =>
    ({ id, help, impact, nodes: nodes.map((node) => node.html) })),
})"""
"""All that counts. What axe found well is a hundred times as much."""
RUN: Final = (
    f"axe.run({{exclude: {[[each] for each in ALIKE]}}}, {{resultTypes: ['violations']}})"
    f".then({_TELL})"
)
SERIOUS: Final = ("serious", "critical")


def axe_script() -> str:
    """For a page to load first."""
    script = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        install_client()
    return script.read_text("utf-8")


def serious_faults(found: Any) -> list[dict[str, Any]]:
    """Of what RUN gave: rule, help, impact and elements. Fails when it didn't look."""
    assert found["engine"] == "axe-core"
    assert found["passes"] > 10
    return [each for each in found["violations"] if each["impact"] in SERIOUS]
