"""The text of a systemd user unit and of a launchd agent. Pure."""

import plistlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MARK: Final = "Written by `luckrig node service install`"
"""What makes a file ours, to rewrite and to remove."""
SYSTEMD_UNIT: Final = "luckrig-node.service"
LAUNCHD_LABEL: Final = "org.luckrig.node"
RESTART_SECONDS: Final = 30
WRONG_USAGE: Final = 2
"""luckrig's exit code for a wrong command line, which no restart mends."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What runs. home: LUCKRIG_HOME, absolute. python_path: PYTHONPATH, where it is needed."""

    command: Sequence[str]
    home: Path
    python_path: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the service gets to know; secrets don't belong into a unit."""
        paths = {} if not self.python_path else {"PYTHONPATH": self.python_path}
        return {"LUCKRIG_HOME": str(self.home), **paths}


def systemd_unit(unit: Unit) -> str:
    """A systemd user unit.

    Hardening is what works without root: filters on system calls. Mounts of its own
    (ProtectSystem and the like) need a user namespace, which many machines forbid.
    """
    variables = [f"Environment={_quoted(f'{name}={text}')}" for name, text in _sorted(unit)]
    return "\n".join(
        [
            f"# {MARK}.",
            "# What the rig does is written in config.toml; changes here are lost when the service",
            "# is installed again.",
            "",
            "[Unit]",
            "Description=luckrig: this machine's rig",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            f"ExecStart={' '.join(map(_word, unit.command))}",
            *variables,
            f"EnvironmentFile=-{_escaped(str(unit.home / 'node.env'))}",
            "Restart=on-failure",
            f"RestartSec={RESTART_SECONDS}",
            f"RestartPreventExitStatus={WRONG_USAGE}",
            "TimeoutStopSec=30",
            "UMask=0077",
            "NoNewPrivileges=yes",
            "LockPersonality=yes",
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
            "RestrictNamespaces=yes",
            "RestrictRealtime=yes",
            "RestrictSUIDSGID=yes",
            "SystemCallArchitectures=native",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )


def launchd_plist(unit: Unit) -> str:
    """A launchd agent: starts at login, and again after a failure."""
    document: dict[str, Any] = {
        "Label": LAUNCHD_LABEL,
        "ProgramArguments": list(unit.command),
        "EnvironmentVariables": unit.environment,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": RESTART_SECONDS,
        "Umask": 0o077,
        "StandardErrorPath": str(unit.home / "logs" / "node.log"),
    }
    text = plistlib.dumps(document).decode("utf-8")
    head, newline, rest = text.partition("\n")
    return f"{head}{newline}<!-- {MARK}. -->\n{rest}"


def _sorted(unit: Unit) -> list[tuple[str, str]]:
    return sorted(unit.environment.items())


def _word(text: str) -> str:
    """One word of a command line: there `$` begins a variable."""
    return _quoted(text.replace("$", "$$"))


def _quoted(text: str) -> str:
    inner = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def _escaped(text: str) -> str:
    """`%` begins a specifier everywhere; a line break would begin another setting."""
    if any(ord(character) < 0x20 for character in text):
        raise ValueError("a path with control characters can't stand in a unit")
    return text.replace("%", "%%")
