"""`luckrig node reach`: what an owner reads when their rig isn't on the map."""

import json
from dataclasses import dataclass

import msgspec
import pytest

from luckrig.cli.home import Home
from luckrig.protocol.evidence import Finding, ReachView
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeDetail
from tests.cli.conftest import Luckrig
from tests.cli.test_output import assert_harmless
from tests.client.fake_tracker import FakeTracker, Rig, make_rig

KEY = PrivateKey((1).to_bytes(2, "big") * 16)
"""The key of make_rig(1)."""
ATTACK = "\x1b]52;c;AAAA\x07\x9b2J\u202e"


@dataclass(frozen=True)
class ProbedRig(Rig):
    """A rig that a tracker looked at."""

    @property
    def detail(self) -> bytes:
        return msgspec.json.encode(
            NodeDetail(
                node=self.view,
                descriptor=msgspec.Raw(self.signed),
                reach=ReachView(
                    proven=False, proven_at=None, problem="tls", message=f"TLS fails.{ATTACK}"
                ),
                audit=[
                    Finding(model="m", field="speed", verdict=verdict, claimed=ATTACK, evidence="e")
                    for verdict in ("contradicts", "unknown")
                ],
            )
        )


@pytest.fixture
def listed(tracker: FakeTracker, home: Home) -> None:
    """The rig of this home is on the tracker's map, and can't be reached."""
    rig = make_rig(1, status="unknown")
    tracker.reset_rigs(ProbedRig(rig.view, rig.signed))
    home.create("node", KEY)


@pytest.mark.usefixtures("listed")
def test_an_owner_reads_what_stands_in_the_way(luckrig: Luckrig) -> None:
    result = luckrig("node", "reach")
    assert result.code == 0
    assert "Status   unknown" in result.out
    assert "Problem  TLS fails." in result.out
    assert result.out.count("Claim ") == 1
    assert_harmless(result.out)


@pytest.mark.usefixtures("listed")
def test_json_has_all_of_it(luckrig: Luckrig) -> None:
    told = json.loads(luckrig("node", "reach", "--json").out)
    assert (told["reach"]["problem"], len(told["audit"])) == ("tls", 2)


@pytest.mark.usefixtures("tracker")
def test_without_a_key_there_is_no_rig(luckrig: Luckrig) -> None:
    assert luckrig("node", "reach").code != 0
