"""Tables for spreadsheets: the map and what users measured, as CSV (RFC 4180).

docs/PROTOCOL.md, section 22, says what each column is.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from luckrig.protocol.wire import NodeView, TimingView

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"
NODE_COLUMNS: Final = (
    "id", "name", "status", "scarcity", "gpu", "vram_bytes", "cpu", "ram_bytes", "model", "family",
    "parameters", "quantization", "context_length", "capabilities", "engine", "engine_version",
    "max_active", "max_queue", "note", "base_url", "owner_id", "listed_at", "last_seen_at", "seq",
)  # fmt: skip
TIMING_COLUMNS: Final = (
    "node_id", "model", "prompt_tokens_from", "users", "streams",
    "ttft_ms_p10", "ttft_ms_p50", "ttft_ms_p90",
    "tokens_per_second_p10", "tokens_per_second_p50", "tokens_per_second_p90",
)  # fmt: skip

Cell = str | int | float | None

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that starts with one of these is a formula to some spreadsheet; so are their full-width
forms to a Japanese one."""


def write_csv(rows: Iterable[Sequence[Cell]]) -> str:
    """The rows, each ended by CR LF; None is an empty cell."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        lines.writerow(["" if cell is None else neutral(str(cell)) for cell in row])
    return out.getvalue()


def neutral(cell: str) -> str:
    """The cell as text to every spreadsheet: an apostrophe before what would be a formula."""
    is_formula = unicodedata.normalize("NFKC", cell[:1]).startswith(_FORMULA)
    return f"'{cell}" if is_formula else cell


def node_rows(node: NodeView) -> Iterator[Sequence[Cell]]:
    """A rig: a row of NODE_COLUMNS for each of its models."""
    hardware, engine, policy = node.hardware, node.engine, node.policy
    for offer in node.offers:
        yield (
            node.id, node.name, node.status, node.scarcity,
            hardware.gpu, hardware.vram_bytes, hardware.cpu, hardware.ram_bytes,
            offer.model, offer.family, offer.parameters, offer.quantization, offer.context_length,
            " ".join(offer.capabilities), engine.kind, engine.version,
            policy.max_active, policy.max_queue, node.note, node.base_url, node.owner_id,
            node.listed_at, node.last_seen_at, node.seq,
        )  # fmt: skip


def timing_row(timing: TimingView) -> Sequence[Cell]:
    """What users measured at one rig with one model: a row of TIMING_COLUMNS."""
    ttft, speed = timing.ttft_ms, timing.tokens_per_second
    return (
        timing.node_id, timing.model, timing.prompt_tokens_from, timing.users, timing.streams,
        ttft.p10, ttft.p50, ttft.p90, speed.p10, speed.p50, speed.p90,
    )  # fmt: skip
