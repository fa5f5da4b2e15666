"""/compare, /showcase and /queue of a tracker: what is asked for, what is hidden, what is said."""

import msgspec
import pytest

from luckrig.tracker.domain.scarcity import scarcities
from luckrig.tracker.domain.showcase import showcase
from luckrig.tracker.domain.similar import similar
from luckrig.tracker.domain.timings import PROMPT_BUCKETS
from luckrig.tracker.domain.views import node_view
from luckrig.tracker.routes.compare_pages import MAX_ASKED, read_asked
from luckrig.web.languages import load_languages
from tests.tracker.factories import make_hardware, make_node, make_offer
from tests.tracker.test_showcase import live
from tests.tracker.trackers import running_tracker
from tests.web.choice_samples import NUMBERS, STARTS
from tests.web.documents import read
from tests.web.rigs import make_id

IDS = [make_id("n1", str(number)) for number in range(6)]


@pytest.mark.parametrize(
    ("values", "node_ids", "reasons"),
    [
        ([], [], []),
        (["", " ", ","], [], []),
        (IDS[:2], IDS[:2], []),
        ([f"{IDS[0]}, {IDS[1]}\n{IDS[2]}"], IDS[:3], []),
        ([f"https://tracker.example/nodes/{IDS[0]}?lang=ja#note"], IDS[:1], []),
        ([IDS[0], IDS[0]], IDS[:1], ["twice"]),
        (IDS[:5], IDS[:4], ["too_many"]),
        (["rtx", IDS[0] + "a", "N1" + IDS[0][2:]], [], ["shape"] * 3),
        (["x"] * 99, [], ["shape"] * MAX_ASKED),
        ([f"{IDS[0]} " * 999], IDS[:1], ["twice"] * (MAX_ASKED - 1)),
    ],
)
def test_what_people_paste_becomes_ids(
    values: list[str], node_ids: list[str], reasons: list[str]
) -> None:
    found, left_out = read_asked(values)
    assert found == node_ids
    assert [each.reason for each in left_out] == reasons


async def test_rigs_side_by_side_and_what_is_no_rig() -> None:
    async with running_tracker() as tracker:
        nodes = [live(1), live(2, "Tesla P40"), live(3), live(4, "Arc A770")]
        for node in nodes:
            await tracker.publish(node)
        query = f"rigs={nodes[0].node_id}&rigs={nodes[1].node_id}&rigs={IDS[0]}&rigs=what"
        reply = await tracker.http.get(f"/compare?{query}&lang=ja")
        assert (reply.status_code, reply.headers["vary"]) == (200, "Accept-Language")
        document = read(reply.text)
        assert document.problems == []
        assert document.elements[0].get("lang") == "ja"
        heads = [each.text for each in document.all("th") if each.get("scope") == "col"]
        assert [name in head for name, head in zip(("rig 1", "rig 2"), heads, strict=True)]
        said = "".join(each.text for each in document.of_class("left-out"))
        assert IDS[0] in said
        assert "what" in said
        (alike,) = document.of_class("similar")
        assert "rig 3" in alike.text  # the same GPU and model as the first


async def test_without_any_rig_it_offers_some() -> None:
    async with running_tracker() as tracker:
        assert "Which rigs?" in (await tracker.http.get("/compare")).text
        await tracker.publish(live(1))
        reply = await tracker.http.get("/compare")
        assert f'href="/compare?rigs={live(1).node_id}"' in reply.text


def test_rigs_that_share_more_come_first_then_scarcer_ones() -> None:
    to = make_node(1)
    card, model = make_hardware("RTX 4090"), [make_offer("phi4")]
    both, scarce = make_node(2), make_node(3, offers=model)
    other, far = make_node(4, hardware=card), make_node(5, hardware=card, offers=model)
    nodes = [far, other, scarce, both, to]
    scarcity = {node.node_id: number / 10 for number, node in enumerate(nodes)}
    found = similar(nodes, scarcity, [node_view(to, 0.5)], limit=9)
    assert [(each.node, each.shares) for each in found] == [
        (both, "both"),
        (scarce, "gpu"),
        (other, "model"),
    ]
    assert similar(nodes, scarcity, [node_view(to, 0.5)], limit=1) == found[:1]


async def test_the_showcase_says_why_and_shows_nobody_who_is_away() -> None:
    async with running_tracker() as tracker:
        empty = await tracker.http.get("/showcase")
        assert "Nothing stands here yet" in empty.text
        board = msgspec.structs.replace(make_hardware(None), cpu="Raspberry Pi 5")
        pi = make_node(1, hardware=board, offers=[make_offer("qwen3:0.6b")])
        await tracker.publish(pi)
        await tracker.publish(live(2), is_seen=False)
        tracker.clock.now += 5
        reply = await tracker.http.get("/showcase", headers={"accept-language": "en"})
        assert reply.headers["vary"] == "Accept-Language"
        text = " ".join("".join(x.text for x in read(reply.text).of_class("why")).split())
        assert "Every token of qwen3:0.6b comes from the CPU: Raspberry Pi 5, with 64 GB" in text
        assert "rig 2" not in reply.text


def test_every_category_of_the_tracker_has_words() -> None:
    nodes = [live(1), live(2), live(3, None), live(4, "Apple M2 Max")]
    found = showcase(nodes, scarcities(nodes), {nodes[0].node_id: 2}).categories
    assert [category.key for category in found] == list(NUMBERS)
    for words in load_languages().values():
        for key in NUMBERS:
            for what in ("title", "what", "figure", "why"):
                assert words.has(f"showcase.category.{key}.{what}")
    assert STARTS == (0, *PROMPT_BUCKETS)


async def test_the_page_of_tickets_is_the_same_for_everybody() -> None:
    async with running_tracker() as tracker:
        reply = await tracker.http.get("/queue", headers={"accept-language": "ja"})
        assert reply.status_code == 200
        assert read(reply.text).elements[0].get("lang") == "ja"
        assert "connect-src 'self'" in reply.headers["content-security-policy"]
