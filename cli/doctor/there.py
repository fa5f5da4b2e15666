"""Checks of what is at the tracker: its clock, its key, the rig's tunnel, place and token."""

from typing import Final

from luckrig.cli.doctor.result import CheckResult, failed, ok, skipped
from luckrig.nodeproxy.control import RigStatus, TunnelView
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.evidence import ReachProblem, ReachView
from luckrig.protocol.wire import NodeDetail, TrackerHealth

MAX_OFF_SECONDS: Final = 30.0
"""Half of what signed requests may be off, so that a clock that drifts is told in time."""

_SET_CLOCK: Final = {
    "Linux": "sudo timedatectl set-ntp true",
    "Darwin": "sudo sntp -sS time.apple.com",
    "Windows": "w32tm /resync",
}
_RESTART: Final = "Start the rig anew: luckrig node drain --stop, then luckrig node start --tunnel"
_TUNNEL_FIXES: Final = {
    "replaced": "Stop the other one, or give it a LUCKRIG_HOME, and so a key, of its own",
    "place_taken": "Stop the other one, or give it a LUCKRIG_HOME, and so a key, of its own",
    "not_listed": _RESTART,
    "banned": "Ask the tracker's operator; the reason is above",
    "proof_invalid": "Give the tracker's address exactly as its pages show it, https://…#r1…",
    "wrong_tracker": "Ask its operator for the right address; don't use this one till then",
    "version": "Update luckrig, here or at the tracker: they are too far apart",
    "protocol_error": "Update luckrig, here or at the tracker: they don't understand each other",
    "no_tunnel": "Ask the operator: what stands before the tracker must let WebSockets pass",
}
_REACH_FIXES: Final[dict[ReachProblem, str]] = {
    "address": "Give a public name or address: --endpoint https://…; or listen nowhere: --tunnel",
    "plain_http": "Put TLS in front of it, and give --endpoint https://…; or use --tunnel",
    "connect": "Forward the port and open the firewall; or use --tunnel, which needs neither",
    "tls": "Renew the certificate, for the name in --endpoint; or use --tunnel",
    "answer": "Point --endpoint and its reverse proxy at this rig",
    "proof": "Point --endpoint at this rig, and start it with this tracker's full address",
    "limited": "Wait: the tracker looks again by itself; or use --tunnel",
}
_TOKEN_FIXES: Final = {
    "registration_required": "Register your key: luckrig token (--invite CODE)",
    "rate_limited": "Wait, then look again with --no-prompt",
    "banned": "Ask the tracker's operator",
    "key_replaced": "Use the key that this one was handed over to: luckrig keys list",
    "proof_invalid": "Set this machine's clock, see above",
    "node_offline": "Look again in half a minute; then: luckrig node reach",
}


def check_clock(off_seconds: float | None, *, system: str) -> CheckResult:
    """off_seconds: how far ahead of the tracker's this machine's is; None when it tells none.
    system: as platform.system()."""
    name = "clock"
    if off_seconds is None:
        return skipped(name, "the tracker doesn't tell its time")
    if abs(off_seconds) <= MAX_OFF_SECONDS:
        return ok(name, f"within {max(1, round(abs(off_seconds)))} s of the tracker's")
    where = "ahead of" if off_seconds > 0 else "behind"
    fix = _SET_CLOCK.get(system, "Set this machine's clock by NTP")
    return failed(name, f"{abs(off_seconds):,.0f} s {where} the tracker's", fix)


def check_tracker(address: TrackerAddress, answer: TrackerHealth | LuckrigError) -> CheckResult:
    """Whether it answers, and is the one whose root id the address names."""
    name = "tracker"
    if isinstance(answer, LuckrigError):
        text = first_sentence(answer)
        if answer.code == "signature_invalid":
            return failed(name, text, _TUNNEL_FIXES["wrong_tracker"])
        fix = "Check your network, and its address: --tracker or LUCKRIG_TRACKER"
        return failed(name, text, fix, unreachable=answer.code == "tracker_unreachable")
    if address.root_id is None:
        text = f"{address.origin} answers, but its address has no #r1…, so it can't be told apart"
        return failed(
            name, text, "Give the full address that its pages show: --tracker 'https://…#r1…'"
        )
    return ok(name, f"{address.origin}, version {answer.version}, with the pinned key")


def check_tunnel(tunnel: TunnelView, *, system: str) -> CheckResult:
    """How the rig's tunnel is."""
    name = "tunnel"
    if tunnel.phase == "up":
        return ok(name, "up: the tracker relays to your rig")
    text = f"{tunnel.phase.replace('_', ' ')}: {tunnel.message or tunnel.reason or 'not up yet'}"
    if tunnel.phase == "clock_off":
        fix = _SET_CLOCK.get(system, "Set this machine's clock by NTP")
    else:
        fix = _TUNNEL_FIXES.get(tunnel.reason, "It comes back by itself; check your network")
    return failed(name, text.rstrip("."), fix)


def check_reach(reach: ReachView | None, base_url: str) -> CheckResult:
    """Whether a rig that listens has proven that it answers at its endpoint."""
    name = "endpoint"
    if reach is None:
        return skipped(name, "the tracker hasn't looked yet; it does within half a minute")
    if reach.proven and reach.problem is None:
        return ok(name, f"{base_url} proven to the tracker")
    text = (reach.message or f"The tracker can't reach {base_url}").rstrip(".")
    fix = "Look again in a minute" if reach.problem is None else _REACH_FIXES[reach.problem]
    return failed(name, text, fix)


def check_map(detail: NodeDetail | LuckrigError, rig: RigStatus) -> CheckResult:
    """How the tracker shows the rig."""
    name = "map"
    if isinstance(detail, LuckrigError):
        return failed(name, first_sentence(detail), _RESTART.replace(" --tunnel", ""))
    status = detail.node.status
    listed = {offer.model for offer in detail.node.offers}
    if gone := sorted(listed - set(rig.models)):
        text = f"{status}, and lists {', '.join(gone)}, which the engine has no more"
        return failed(name, text, "luckrig node drain --stop, then luckrig node start")
    is_closed = rig.reason is not None and status == "paused"
    if status in ("available", "busy") or is_closed:
        return ok(name, f"{status}, with {len(listed)} model{'s' * (len(listed) != 1)}")
    fix = "Look again in half a minute; then: luckrig node reach"
    return failed(name, f"The tracker shows it as {status}", fix)


def token_failed(error: LuckrigError) -> CheckResult:
    """No token for the own rig."""
    fix = _TOKEN_FIXES.get(error.code, "Look again in a minute; then ask the tracker's operator")
    return failed(
        "token", first_sentence(error), fix, unreachable=error.code == "tracker_unreachable"
    )


def first_sentence(error: LuckrigError) -> str:
    """Of a public text; what follows is advice, and a check gives its own."""
    return error.message.partition(". ")[0].rstrip(".")
