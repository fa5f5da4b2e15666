"""`luckrig keys rotate`: no step loses a key, and a rerun goes on where the last one stopped."""

import json
import os

from luckrig.cli.home import Home, id_of
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import FakeTracker, Reply

HANDOVER = "/api/v1/handover"


def _answer(home: Home) -> Reply:
    old, new = home.load_or_create("user"), home.load_or_create("user-next")
    body = {"old": id_of("user", old), "new": id_of("user", new), "received_at": 1}
    return Reply([json.dumps(body).encode()])


def test_new_key_takes_the_place_and_the_old_one_is_kept(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    tracker.lies(_answer(home), path=HANDOVER)
    old, new = home.load("user").seed, home.load("user-next").seed
    result = luckrig("keys", "rotate")
    assert result.code == 0, result.err
    assert "restarted" in result.err
    (kept,) = [name for name in home.names() if name.startswith("user-old-")]
    assert home.load("user").seed == new
    assert home.load(kept).seed == old
    assert "user-next" not in home.names()


def test_refusal_leaves_both_keys_for_a_rerun(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    answer = _answer(home)
    tracker.lies(Reply(status=503), path=HANDOVER)
    assert luckrig("keys", "rotate").code != 0
    assert home.names() == ["user", "user-next"]
    os.link(home.key_path("user"), home.key_path("user-old-7"))  # as if it had stopped there
    new = home.load("user-next").seed
    tracker.lies(answer, path=HANDOVER)
    assert luckrig("keys", "rotate").code == 0
    assert home.names() == ["user", "user-old-7"]
    assert home.load("user").seed == new
