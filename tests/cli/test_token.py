"""`luckrig token`: which rig is meant, what a script gets, what is checked on the way."""

import json
import shlex
import subprocess

import msgspec
import pytest

from luckrig.cli.home import Home, id_of
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.wire import NodeDetail, RegistrationInfo
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import INVITE, TOKEN, FakeTracker, Reply, make_rig, token_reply


def test_stdout_holds_the_token_and_nothing_else(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    result = luckrig("token")
    assert (result.code, result.out) == (0, f"{TOKEN}\n")
    made, rig, base_url, models, expires = result.err.splitlines()
    assert id_of("user", home.load("user")) in made
    assert "keys export" in made
    assert tracker.rigs[0].view.id[:10] in rig
    assert base_url == f"base_url  {tracker.rigs[0].view.base_url}"
    assert models == "models    llama3.1:8b"
    assert expires.startswith("expires   in 1")


def test_key_is_made_once_and_used_for_the_proof(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    key = home.load_or_create("user")
    result = luckrig("token", "--ttl", "60")
    assert "Made your key" not in result.err
    request = tracker.seen[-1]
    proof = verify_proof(
        request.headers["dpop"],
        method="POST",
        urls=[f"{tracker.origin}/api/v1/tokens"],
        now=tracker.clock(),
    )
    proof.check_body(request.body)
    assert proof.key == key.public
    assert json.loads(request.body)["ttl_seconds"] == 60


def test_exports_survive_a_shell(luckrig: Luckrig, tracker: FakeTracker) -> None:
    model = 'it\'s $(touch /tmp/x) `id` "quoted" & more'
    tracker.reset_rigs(make_rig(1, models=[model, "other"]))
    result = luckrig("token", "--env")
    assert result.code == 0
    assert len(result.out.splitlines()) == 3
    shell = result.out + 'printf "%s\\n" "$OPENAI_BASE_URL" "$OPENAI_API_KEY" "$OPENAI_MODEL"'
    done = subprocess.run(  # noqa: S603 -- the point of the test
        ["/bin/sh", "-c", shell], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [tracker.rigs[0].view.base_url, TOKEN, model]
    assert shlex.split(result.out)[0] == "export"


def test_json_is_the_trackers_reply(luckrig: Luckrig, tracker: FakeTracker) -> None:
    result = luckrig("token", "--json")
    document = json.loads(result.out)
    assert result.out.count("\n") == 1
    assert (document["token"], document["token_type"]) == (TOKEN, "Bearer")
    assert document["node_id"] == tracker.rigs[0].view.id


def test_rig_is_found_by_id_prefix_and_name(luckrig: Luckrig, tracker: FakeTracker) -> None:
    first, second = make_rig(1, name="attic"), make_rig(2, name="cellar", status="busy")
    tracker.reset_rigs(first, second)
    tracker.page_nodes = 1
    for view in (first.view, second.view):
        for wanted in (view.id, view.id[:4], view.id[:20].upper(), view.name):
            assert luckrig("token", wanted).code == 0
            assert json.loads(tracker.seen[-1].body)["node_id"] == view.id


def test_whole_id_needs_no_list(luckrig: Luckrig, tracker: FakeTracker) -> None:
    node_id = tracker.rigs[0].view.id
    assert luckrig("token", node_id).code == 0
    assert [request.path for request in tracker.seen] == [
        f"/api/v1/nodes/{node_id}",
        "/api/v1/tokens",
    ]


def test_several_available_rigs_are_listed_as_choices(
    luckrig: Luckrig, tracker: FakeTracker
) -> None:
    rigs = [make_rig(number, name=f"rig {number}") for number in range(1, 11)]
    tracker.reset_rigs(*rigs)
    result = luckrig("token")
    assert (result.code, result.out) == (1, "")
    message = result.err.splitlines()[-1]
    assert f"{rigs[0].view.id[:10]} (rig 1, RTX 4090)" in message
    assert message.endswith("2 more.")


def test_only_available_rig_is_taken_among_others(luckrig: Luckrig, tracker: FakeTracker) -> None:
    available = make_rig(3)
    tracker.reset_rigs(make_rig(1, status="paused"), make_rig(2, status="unknown"), available)
    assert luckrig("token").code == 0
    assert json.loads(tracker.seen[-1].body)["node_id"] == available.view.id


def test_no_available_rig_says_where_to_look(luckrig: Luckrig, tracker: FakeTracker) -> None:
    tracker.reset_rigs(make_rig(1, status="paused"))
    result = luckrig("token")
    assert result.code == 1
    assert "luckrig nodes" in result.err


@pytest.mark.parametrize("wanted", ["nobody", "n1", "n1a", "", "ATTIC", "att"])
def test_what_fits_no_rig_is_said_so(luckrig: Luckrig, tracker: FakeTracker, wanted: str) -> None:
    """Names count whole and exactly; three characters are too few of an id."""
    result = luckrig("token", wanted)
    assert (result.code, result.out) == (1, "")
    assert f"No rig has the id or name {wanted!r}" in result.err


def test_name_that_two_rigs_have_is_asked_back(luckrig: Luckrig, tracker: FakeTracker) -> None:
    tracker.reset_rigs(make_rig(1, name="attic"), make_rig(2, name="attic"))
    result = luckrig("token", "attic")
    assert result.code == 1
    assert "Several rigs fit 'attic'" in result.err


def test_name_that_apes_an_id_takes_over_nothing(luckrig: Luckrig, tracker: FakeTracker) -> None:
    """A rig may call itself like the beginning of another's id, or like all of it."""
    victim = make_rig(1)
    tracker.reset_rigs(victim, make_rig(2, name=victim.view.id[:10]))
    assert luckrig("token", victim.view.id[:10]).code == 1
    tracker.reset_rigs(victim, make_rig(2, name=victim.view.id))
    assert luckrig("token", victim.view.id).code == 0
    assert json.loads(tracker.seen[-1].body)["node_id"] == victim.view.id


@pytest.mark.parametrize(
    "changes", [{"base_url": "http://evil.example/v1"}, {"models": ["another"]}]
)
def test_token_for_what_the_rig_did_not_sign_is_refused(
    luckrig: Luckrig, tracker: FakeTracker, changes: dict[str, object]
) -> None:
    reply = {**msgspec.to_builtins(token_reply(tracker.rigs[0].view)), **changes}
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/tokens")
    for args in ([], ["--env"], ["--json"]):
        result = luckrig("token", *args)
        assert result.code == 1
        assert TOKEN not in result.out
        assert "evil" not in result.out


def test_altered_rig_gets_no_token_request(luckrig: Luckrig, tracker: FakeTracker) -> None:
    rig = tracker.rigs[0]
    view = msgspec.structs.replace(rig.view, base_url="http://evil.example/v1")
    body = msgspec.json.encode(NodeDetail(node=view, descriptor=msgspec.Raw(rig.signed)))
    tracker.lies(Reply([body]), path="/api/v1/nodes/")
    result = luckrig("token")
    assert (result.code, result.out) == (1, "")
    assert "didn't sign" in result.err
    assert "/api/v1/tokens" not in {request.path for request in tracker.seen}


def test_exposed_key_stops_everything(luckrig: Luckrig, tracker: FakeTracker, home: Home) -> None:
    home.load_or_create("user")
    home.key_path("user").chmod(0o644)
    result = luckrig("token")
    assert (result.code, result.out) == (1, "")
    assert "chmod 600" in result.err
    assert tracker.seen == []


def test_work_is_done_when_the_tracker_asks_for_it(luckrig: Luckrig, tracker: FakeTracker) -> None:
    tracker.terms = RegistrationInfo(mode="open", work_bits=8)
    result = luckrig("token")
    assert (result.code, result.out) == (0, f"{TOKEN}\n")
    assert "8 bits of work" in result.err
    assert "Your key is registered at this tracker." in result.err
    asked = [seen.method for seen in tracker.seen if seen.path == "/api/v1/registration"]
    assert asked == ["GET", "POST"]


def test_endless_work_is_refused(luckrig: Luckrig, tracker: FakeTracker) -> None:
    terms = {"mode": "open", "work_bits": 200}
    tracker.terms = RegistrationInfo(mode="open", work_bits=8)
    tracker.lies(Reply([msgspec.json.encode(terms)]), path="/api/v1/registration")
    result = luckrig("token")
    assert (result.code, result.out) == (1, "")
    assert "endless work" in result.err


@pytest.mark.parametrize(
    ("args", "code"), [([], 1), (["--invite", "of-somebody-else"], 1), (["--invite", INVITE], 0)]
)
def test_invite_is_shown_to_a_tracker_that_wants_one(
    args: list[str], code: int, luckrig: Luckrig, tracker: FakeTracker
) -> None:
    tracker.terms = RegistrationInfo(mode="invite", work_bits=0)
    result = luckrig("token", *args)
    assert result.code == code
    assert (result.out == f"{TOKEN}\n") == (code == 0)
    assert ("isn't good" in result.err) == (code == 1)
