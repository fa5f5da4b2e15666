"""A rig of this machine's owner: run as they chose, and under their command meanwhile."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from luckrig.cli.config import Config
from luckrig.cli.desk import Desk
from luckrig.cli.home import Home
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.cli.rig_plan import RigPlan, plan_rig
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.control import claimed_folder, serving_control


class HostedRig(NamedTuple):
    """rig: what runs. desk: where its owner commands it."""

    rig: RunningRig
    desk: Desk


@asynccontextmanager
async def hosted_rig(
    config: Config,
    home: Home,
    environ: Mapping[str, str],
    tracker: TrackerClient,
    *,
    engine_url: str,
) -> AsyncGenerator[HostedRig, None]:
    """Run it while the block runs; `luckrig node status` and its like reach it.

    Raises LuckrigError as running_rig() does, and when a rig of this home runs already.
    """
    with claimed_folder(home.run_folder) as folder:
        plan = plan_rig(config, home, environ, engine_url=engine_url, folder=folder)
        async with running_rig(plan, tracker) as running:
            desk = _desk(plan, running, tracker)
            async with serving_control(folder, desk):
                yield HostedRig(running, desk)


def _desk(plan: RigPlan, running: RunningRig, tracker: TrackerClient) -> Desk:
    return Desk(
        node=running.node,
        name=plan.name,
        note=plan.note,
        base_url=f"{running.origin}/v1",
        page=running.page,
        max_queue=plan.max_queue,
        started_at=int(time.time()),
        publish=running.publish_note,
        tracker=str(tracker.address),
        engine_url=plan.engine_url,
        tunnel=running.tunnel,
    )
