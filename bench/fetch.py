"""`python -m bench.fetch`: get what luckrig is compared with. Quick when everything is there.

Nothing of it is part of the project: Debian's packages go where Debian puts them, LiteLLM into
a virtual environment of its own under .bench/, which git ignores.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.processes import ROOT

LITELLM: Final = ROOT / ".bench" / "litellm"
LITELLM_VERSION: Final = "1.106.2"
"""Pinned: figures of two versions can't be compared. About 750 MB, two minutes."""
SECONDS: Final = 900
_SBIN: Final = "/usr/sbin:/usr/local/sbin"
_DEBIAN: Final = {"nginx": "nginx-light", "haproxy": "haproxy"}


def program(name: str) -> Path | None:
    """Where a server is, or None."""
    if name == "litellm":
        found = LITELLM / "bin" / "litellm"
        return found if (LITELLM / ".complete").exists() else None
    path = shutil.which(name) or shutil.which(name, path=_SBIN)
    return None if path is None else Path(path)


def main() -> int:
    """Exit status 0 also when something can't be had: the measurement says what it left out."""
    missing = [name for name in _DEBIAN if program(name) is None]
    if missing:
        _fetch_from_debian(missing)
    if program("litellm") is None:
        _say(f"fetching LiteLLM {LITELLM_VERSION} into {LITELLM.relative_to(ROOT)}, two minutes")
        _fetch_litellm()
    return 0


def _fetch_from_debian(missing: Sequence[str]) -> None:
    packages = [_DEBIAN[name] for name in missing]
    by_hand = f"to compare with {' and '.join(missing)}: apt-get install {' '.join(packages)}"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        _say(by_hand)
        return
    _say(f"installing {' '.join(packages)}")
    install = ["install", "-y", "--no-install-recommends"]
    if not (_run(["apt-get", "-qq", "update"]) and _run(["apt-get", "-qq", *install, *packages])):
        _say(f"that failed; {by_hand}")


def _fetch_litellm() -> None:
    shutil.rmtree(LITELLM, ignore_errors=True)  # one that was interrupted
    venv.create(LITELLM, with_pip=True)
    pip = [str(LITELLM / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    if _run([*pip, f"litellm[proxy]=={LITELLM_VERSION}"]):
        (LITELLM / ".complete").touch()
    else:
        _say("LiteLLM couldn't be fetched; it will be left out")


def _run(command: Sequence[str]) -> bool:
    """Whether it went well. What it prints is shown only when it didn't."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(  # noqa: S603 -- bench's own commands
            command, env=environ, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _say(str(error))
        return False
    if done.returncode:
        _say((done.stdout + done.stderr)[-2_000:].decode(errors="replace"))
    return done.returncode == 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
