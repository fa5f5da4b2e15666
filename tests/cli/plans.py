"""A rig's plan as tests need it."""

from typing import Any

from luckrig.cli.rig_plan import RigPlan
from luckrig.protocol.keys import PrivateKey

KEY = PrivateKey(b"keys" * 8)


def rig_plan(engine_url: str, **changes: Any) -> RigPlan:
    """A rig at a free port of this machine, for one request at a time."""
    plan: dict[str, Any] = {
        "engine_url": engine_url,
        "engine_key": None,
        "name": "attic",
        "note": "",
        "listen": ("127.0.0.1", 0),
        "endpoint": None,
        "max_active": 1,
        "max_queue": 4,
        "node_key": KEY,
        "owner_key": KEY,
    }
    return RigPlan(**{**plan, **changes})
