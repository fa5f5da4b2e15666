"""`luckrig node start` with rule packs of the owner's."""

import pytest

from luckrig.cli.home import Home
from luckrig.cli.rules import own_packs
from tests.cli.conftest import Luckrig
from tests.nodeproxy.test_rules import PACK

NOWHERE = ("node", "start", "--engine", "http://127.0.0.1:9")


pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (PACK.replace(b"'apple'", b"'('"), ("rule pair", "missing )")),
        (PACK.replace(b"'apple'", b"'(?:a+)+$'"), ("rule pair", "runs away")),
        (PACK.replace(b"within", b"without"), ("without",)),
        (PACK.replace(b'"test"', b'"baseline"'), ("another rule pack has the name baseline",)),
        (b"\xff", ("utf-8",)),
    ],
)
def test_a_broken_pack_stops_the_start(
    text: bytes, reasons: tuple[str, ...], luckrig: Luckrig, home: Home
) -> None:
    home.rules_folder.mkdir(parents=True)
    home.rules_folder.joinpath("fruit.toml").write_bytes(text)
    result = luckrig(*NOWHERE)
    assert result.code != 0
    told = " ".join(result.err.split())
    for reason in ("fruit.toml", *reasons):
        assert reason in told


def test_sound_packs_and_none_at_all_get_further(luckrig: Luckrig, home: Home) -> None:
    """As far as the tracker, which nobody named."""
    assert own_packs(home.rules_folder) == ()
    assert "tracker's full address" in luckrig(*NOWHERE).err
    home.rules_folder.mkdir(parents=True)
    home.rules_folder.joinpath("fruit.toml").write_bytes(PACK)
    assert [pack.name for pack in own_packs(home.rules_folder)] == ["test"]
    assert "tracker's full address" in luckrig(*NOWHERE).err
