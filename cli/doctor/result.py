"""What a check found, and what the checks together mean."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from luckrig.cli.main import FAILED, UNREACHABLE


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """check: its name. found: what is there, or why it was skipped. fix: what to do, of a failed
    one. unreachable: the tracker or the engine doesn't answer."""

    check: str
    outcome: Literal["ok", "failed", "skipped"]
    found: str
    fix: str | None = None
    unreachable: bool = False


def ok(check: str, found: str) -> CheckResult:
    """Nothing to do."""
    return CheckResult(check=check, outcome="ok", found=found)


def failed(check: str, found: str, fix: str, *, unreachable: bool = False) -> CheckResult:
    """Something to do."""
    return CheckResult(check=check, outcome="failed", found=found, fix=fix, unreachable=unreachable)


def skipped(check: str, why: str) -> CheckResult:
    """Not looked at: an earlier check says why, or the owner didn't want it."""
    return CheckResult(check=check, outcome="skipped", found=why)


def exit_code(results: Sequence[CheckResult]) -> int:
    """0 when nothing failed, 3 when a tracker or engine can't be reached, else 1."""
    if any(result.unreachable for result in results):
        return UNREACHABLE
    return FAILED if any(result.outcome == "failed" for result in results) else 0
