"""Feed, badges, robots.txt: what other sites take. Strangers' words stay words there."""

from collections.abc import AsyncIterator
from xml.etree.ElementTree import Element, fromstring

import pytest

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.web.badge import draw_badge
from luckrig.web.formats import format_iso_time
from tests.tracker.factories import NOW, make_hardware, make_health, make_node
from tests.tracker.test_exports import publish_hostile
from tests.tracker.trackers import URL, Tracker, running_tracker
from tests.web.hostile import HOSTILE
from tests.web.xss import XSS

OPERATOR = PrivateKey(b"\1" * 32)
RIG = make_node(1)
BADGE = f"/badge/{RIG.node_id}.svg"
ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"
SVG_ELEMENTS = {f"{SVG}{name}" for name in ("svg", "title", "rect", "path", "g", "text")}


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker that lists one rig."""
    operators = frozenset({derive_id("u1", OPERATOR.public)})
    async with running_tracker(operators=operators) as running:
        assert (await running.publish(RIG)).status_code == 200
        yield running


def parse(text: str) -> Element:
    """XML that we made; strangers' words are in it as text only."""
    return fromstring(text)  # noqa: S314 -- no DTD: see the hostile tests


async def test_feed_has_what_readers_need(tracker: Tracker) -> None:
    tracker.clock.now += 3600
    await tracker.publish(make_node(2))
    reply = await tracker.http.get("/feed.atom")
    assert reply.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = parse(reply.text)
    assert feed.tag == f"{ATOM}feed"
    required = ("id", "title", "updated", "author/name")
    assert all(
        feed.findtext("/".join(f"{ATOM}{part}" for part in path.split("/"))) for path in required
    )
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"self": f"{URL}/feed.atom", "alternate": f"{URL}/"}
    newest, older = feed.findall(f"{ATOM}entry")
    assert newest.findtext(f"{ATOM}id") == f"urn:luckrig:node:{make_node(2).node_id}"
    assert newest.findtext(f"{ATOM}updated") == feed.findtext(f"{ATOM}updated")
    assert older.findtext(f"{ATOM}updated") == format_iso_time(NOW)
    assert older.findtext(f"{ATOM}title") == "rig 1: NVIDIA GeForce RTX 3090"


async def test_unchanged_feed_is_not_sent_again(tracker: Tracker) -> None:
    first = await tracker.http.get("/feed.atom")
    tracker.clock.now += 60
    await tracker.store.put_health({RIG.node_id: make_health("busy")})
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await tracker.http.get("/feed.atom", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
    await tracker.publish(make_node(2))
    changed = await tracker.http.get("/feed.atom", headers={"if-none-match": etag})
    assert changed.status_code == 200


async def test_an_id_stays_when_a_rig_changes(tracker: Tracker) -> None:
    await tracker.publish(make_node(1, seq=2, name="renamed"))
    (entry,) = parse((await tracker.http.get("/feed.atom")).text).findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == f"urn:luckrig:node:{RIG.node_id}"
    assert "renamed" in (entry.findtext(f"{ATOM}title") or "")


async def test_empty_feed_is_a_feed() -> None:
    async with running_tracker() as empty:
        feed = parse((await empty.http.get("/feed.atom")).text)
        assert feed.findall(f"{ATOM}entry") == []
        assert feed.findtext(f"{ATOM}updated") == "1970-01-01T00:00:00Z"


async def test_hostile_rigs_are_text_in_the_feed(tracker: Tracker) -> None:
    listed = await publish_hostile(tracker)
    feed = parse((await tracker.http.get("/feed.atom")).text)
    assert len(feed.findall(f"{ATOM}entry")) == 50 < listed
    names = ("feed", "id", "title", "updated", "published", "author", "name", "uri", "link",
             "entry", "summary")  # fmt: skip
    assert {each.tag for each in feed.iter()} == {f"{ATOM}{name}" for name in names}


async def test_badge_says_how_the_rig_is(tracker: Tracker) -> None:
    reply = await tracker.http.get(BADGE)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/svg+xml"
    assert reply.headers["content-security-policy"] == "default-src 'none'"
    assert reply.headers["cache-control"] == "public, max-age=60"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert len(reply.content) < 1200
    assert parse(reply.text).findtext(f"{SVG}title") == "luckrig: available"
    await tracker.store.put_health({RIG.node_id: make_health("paused")})
    changed = await tracker.http.get(BADGE, headers={"if-none-match": reply.headers["etag"]})
    assert parse(changed.text).findtext(f"{SVG}title") == "luckrig: paused by owner"


@pytest.mark.parametrize(
    ("show", "label"),
    [("name", "rig 1"), ("gpu", "NVIDIA GeForce RTX 3090"), ("model", "qwen3:8b")],
)
async def test_badge_names_what_it_is_asked_for(tracker: Tracker, show: str, label: str) -> None:
    reply = await tracker.http.get(f"{BADGE}?show={show}")
    assert parse(reply.text).findtext(f"{SVG}title") == f"{label}: available"


async def test_badge_of_a_rig_without_gpu_says_so(tracker: Tracker) -> None:
    bare = make_node(2, hardware=make_hardware(None))
    await tracker.publish(bare)
    assert ">no GPU<" in (await tracker.http.get(f"/badge/{bare.node_id}.svg?show=gpu")).text


@pytest.mark.parametrize("name", ["n1" + "a" * 32, "nope", "%3Cscript%3E", "n1" + "A" * 32])
async def test_unknown_rig_has_a_grey_badge(tracker: Tracker, name: str) -> None:
    reply = await tracker.http.get(f"/badge/{name}.svg?show=name")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "image/svg+xml"
    assert reply.headers["content-security-policy"] == "default-src 'none'"
    assert parse(reply.text).findtext(f"{SVG}title") == "luckrig: not on the map"


async def test_banned_rig_has_no_badge_that_tells_of_it(tracker: Tracker) -> None:
    await tracker.decide("ban", RIG.node_id, key=OPERATOR)
    banned = await tracker.http.get(f"{BADGE}?show=name")
    unknown = await tracker.http.get(f"/badge/n1{'a' * 32}.svg?show=name")
    assert (banned.status_code, banned.content) == (404, unknown.content)


async def test_wrong_badge_queries_are_refused(tracker: Tracker) -> None:
    for query in ("show=owner", "show=name&show=gpu", "style=x"):
        refused = await tracker.http.get(f"{BADGE}?{query}")
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    "text", [*XSS, *HOSTILE, "", " ", "\ud800", "a\u0301" * 40, "\u0301" * 300]
)
def test_any_label_is_text_on_a_badge(text: str) -> None:
    picture = draw_badge(text, "available")
    root = parse(picture)
    assert {each.tag for each in root.iter()} == SVG_ELEMENTS
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on")]
    assert int(root.get("width") or "") < 500
    assert len(picture) < 2500


async def test_crawlers_are_kept_from_private_pages(tracker: Tracker) -> None:
    reply = await tracker.http.get("/robots.txt")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    lines = reply.text.splitlines()
    assert lines[0] == "User-agent: *"
    for path in ("/operator", "/me", "/report/", "/login", "/n/", "/compare?"):
        assert f"Disallow: {path}" in lines
    assert not any(line.startswith(("Disallow: /nodes", "Disallow: /report\n")) for line in lines)
