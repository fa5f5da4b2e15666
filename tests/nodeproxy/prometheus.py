"""A strict reader of Prometheus' text format 0.0.4, so that a scraper's leniency hides nothing."""

import math
import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HELP = re.compile(rf"# HELP ({_NAME}) ([^\n]+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|histogram)")
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?[0-9.e+-]+|\+Inf|NaN)")
_ONE_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")

Labels = tuple[tuple[str, str], ...]


@dataclass
class Metric:
    """One family. samples: (name, labels in their order) to value."""

    kind: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(
        default_factory=dict[tuple[str, Labels], float]
    )


def parse(text: str) -> dict[str, Metric]:
    """All families by name. Raises AssertionError on what the format doesn't allow."""
    assert text.endswith("\n")
    metrics: dict[str, Metric] = {}
    lines = text[:-1].split("\n")
    name = ""
    while lines:
        line = lines.pop(0)
        if line.startswith("#"):
            helped = _HELP.fullmatch(line)
            assert helped, line
            typed = _TYPE.fullmatch(lines.pop(0))
            assert typed and typed[1] == helped[1], line
            name = helped[1]
            assert name not in metrics, f"{name} stands twice"
            metrics[name] = Metric(typed[2], helped[2])
            continue
        found = _SAMPLE.fullmatch(line)
        assert found, line
        labels = tuple((key, _unescape(value)) for key, value in _ONE_LABEL.findall(found[2] or ""))
        assert len(dict(labels)) == len(labels), line
        key = (found[1], labels)
        assert key not in metrics[name].samples, line
        metrics[name].samples[key] = float(found[3])
    for name, metric in metrics.items():
        _check(name, metric)
    return metrics


def _unescape(value: str) -> str:
    return _ESCAPE.sub(lambda found: {"n": "\n"}.get(found[1], found[1]), value)


def _check(name: str, metric: Metric) -> None:
    assert metric.samples, name
    names = {sample for sample, _ in metric.samples}
    if metric.kind == "histogram":
        assert names == {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
        bounds: list[float] = []
        counts: list[float] = []
        for (sample, labels), value in metric.samples.items():
            if sample == f"{name}_bucket":
                bounds.append(float(dict(labels)["le"]))
                counts.append(value)
        assert bounds == sorted(set(bounds)) and math.isinf(bounds[-1])
        assert counts == sorted(counts)
        assert counts[-1] == metric.samples[f"{name}_count", ()]
        return
    assert names == {name}
    assert name.endswith("_total") == (metric.kind == "counter"), name
    if metric.kind == "counter":
        assert all(value >= 0 and value == int(value) for value in metric.samples.values())


def values(text: str) -> dict[str, float]:
    """`name` or `name{label="value"}` to value."""
    found: dict[str, float] = {}
    for metric in parse(text).values():
        for (name, labels), value in metric.samples.items():
            inside = ",".join(f'{key}="{text}"' for key, text in labels)
            found[f"{name}{{{inside}}}" if inside else name] = value
    return found
