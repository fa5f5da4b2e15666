"""The moderation service's client, its labels and its settings."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from luckrig.nodeproxy.moderation.hook import (
    MAX_CONNECTIONS,
    MAX_INPUTS,
    MAX_PIECE_CHARS,
    OVERLAP_CHARS,
    ModerationHook,
    Verdict,
    read_answer,
)
from luckrig.nodeproxy.moderation.labels import (
    CATEGORIES,
    GRANITE,
    MLCOMMONS,
    OPENAI,
    category_of,
)
from luckrig.nodeproxy.settings import ModerationSettings, moderation_settings
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.errors import LuckrigError
from tests.fake_engines.moderation import ANSWER_SECONDS, FAULTS, FakeModeration
from tests.fake_engines.scripted import Peer, scripted_engine

KEY = "sk-sentinel-key-4711"
FOLDER = Path("/nowhere")


def settings_for(url: str, **fields: Any) -> ModerationSettings:
    """Of a service at that address."""
    values: dict[str, Any] = {
        "origin": url,
        "path": "/v1/moderations",
        "folder": FOLDER,
        "key": KEY,
    }
    return ModerationSettings(**(values | fields))


@asynccontextmanager
async def hook_at(url: str, **fields: Any) -> AsyncGenerator[ModerationHook, None]:
    """A hook, closed in the end."""
    hook = ModerationHook(settings_for(url, **fields))
    try:
        yield hook
    finally:
        await hook.aclose()


@pytest.fixture
async def service() -> AsyncIterator[FakeModeration]:
    """A stand-in that flags a few words."""
    async with FakeModeration(flagged={"awful": "hate", "bloody": "violence"}) as running:
        yield running


# What is asked


async def test_texts_are_asked_about_and_verdicts_read(service: FakeModeration) -> None:
    async with hook_at(service.url, model="omni-moderation-latest") as hook:
        assert await hook.check(["good", "fine"]) == Verdict()
        assert await hook.check(["good", "awful", "bloody"]) == Verdict(("hate", "violence"))
    assert service.inputs == ["good", "fine", "good", "awful", "bloody"]
    assert service.models == ["omni-moderation-latest"] * 2
    assert service.heads[0].startswith("POST /v1/moderations HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}" in service.heads[0]
    assert service.connections == 1


async def test_model_and_key_are_sent_only_when_they_are_set(service: FakeModeration) -> None:
    async with hook_at(service.url, key=None) as hook:
        await hook.check(["good"])
    assert service.models == [None]
    assert "authorization" not in service.heads[0].lower()


async def test_empty_and_repeated_texts_are_asked_about_once_or_not_at_all(
    service: FakeModeration,
) -> None:
    async with hook_at(service.url) as hook:
        assert await hook.check(["", ""]) == Verdict()
        assert service.heads == []
        await hook.check(["one", "", "one", " "])
    assert service.inputs == ["one", " "]


@pytest.mark.parametrize("length", [1, 32_767, 32_768, 32_769, 65_000, 200_001])
async def test_long_texts_go_in_pieces_that_overlap(length: int, service: FakeModeration) -> None:
    text = "".join(chr(0x4E00 + number % 20_000) for number in range(length))
    async with hook_at(service.url) as hook:
        await hook.check([text])
    pieces = service.inputs
    assert all(0 < len(piece) <= MAX_PIECE_CHARS for piece in pieces)
    assert pieces[0] + "".join(piece[OVERLAP_CHARS:] for piece in pieces[1:]) == text
    assert length > MAX_PIECE_CHARS or len(pieces) == 1


@pytest.mark.parametrize("place", [0, 32_763, 32_768, 64_510, 99_990])
async def test_any_flagged_piece_flags_the_text(place: int, service: FakeModeration) -> None:
    text = "a" * place + "awful" + "b" * (100_000 - place)
    async with hook_at(service.url) as hook:
        assert (await hook.check(["good", text])).categories == ("hate",)


async def test_many_texts_go_in_several_requests(service: FakeModeration) -> None:
    texts = [f"text {number}" for number in range(2 * MAX_INPUTS + 1)]
    async with hook_at(service.url) as hook:
        assert not (await hook.check(texts)).flagged
        assert service.inputs == texts
        assert len(service.heads) == 3
        assert (await hook.check([*texts, "awful"])).flagged
        assert (await hook.check(["awful", *texts])).flagged
    assert len(service.heads) == 3 + 3 + 1  # the first flag is enough


async def test_requests_at_the_same_time_share_few_connections(service: FakeModeration) -> None:
    async with hook_at(service.url) as hook:
        for _ in range(2):
            await asyncio.gather(*(hook.check([f"text {number}"]) for number in range(50)))
    assert len(service.heads) == 100
    assert service.connections <= MAX_CONNECTIONS


# Failures


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_is_no_answer(fault: str, service: FakeModeration) -> None:
    """Also with texts that were not flagged, and the hook works again afterwards."""
    service.fault = fault
    waits = fault in ("silence", "all but the last byte")
    seconds = ANSWER_SECONDS if waits else 5.0
    async with hook_at(service.url, timeout_seconds=seconds) as hook:
        with pytest.raises(LuckrigError) as caught:
            await hook.check(["good", "fine"])
        assert caught.value.code == "moderation_unavailable"
        assert caught.value.status == 503
        assert caught.value.retry_after_seconds == 5
        assert KEY not in repr(caught.value)
        service.fault = None
        assert await hook.check(["good"]) == Verdict()


async def test_service_that_is_not_there_is_no_answer(service: FakeModeration) -> None:
    await service.stop()
    async with hook_at(service.url) as hook:
        with pytest.raises(LuckrigError) as caught:
            await hook.check(["good"])
    assert caught.value.code == "moderation_unavailable"


async def test_a_redirect_is_never_followed() -> None:
    """Neither the texts nor the key go to wherever a service points."""
    async with FakeModeration() as elsewhere:

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(
                f"HTTP/1.1 307 X\r\nLocation: {elsewhere.url}/v1/moderations\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )

        async with scripted_engine(script) as url, hook_at(url) as hook:
            with pytest.raises(LuckrigError):
                await hook.check(["good"])
        assert elsewhere.connections == 0


async def test_a_check_that_waits_for_others_too_long_is_no_answer(
    service: FakeModeration,
) -> None:
    service.hold()
    async with hook_at(service.url, timeout_seconds=ANSWER_SECONDS) as hook:
        checks = [hook.check(["good"]) for _ in range(MAX_CONNECTIONS + 5)]
        results = await asyncio.gather(*checks, return_exceptions=True)
    codes = [result.code for result in results if isinstance(result, LuckrigError)]
    assert codes == ["moderation_unavailable"] * len(checks)


async def test_neither_settings_nor_hook_show_the_key(service: FakeModeration) -> None:
    async with hook_at(service.url) as hook:
        assert KEY not in f"{settings_for(service.url)!r} {settings_for(service.url)} {hook!r}"


# Verdicts


def verdict_of(*results: dict[str, Any]) -> Verdict:
    """The verdict of an answer with those results."""
    body = msgspec.json.encode({"results": results})
    answer = Answer(200, {b"content-type": b"application/json; charset=utf-8"}, body)
    return read_answer(answer, expected=len(results))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"flagged": False}, ()),
        ({"flagged": False, "categories": {}}, ()),
        ({"flagged": False, "categories": None}, ()),
        ({"flagged": False, "categories": {"hate": False, "illicit": None}}, ()),
        ({"flagged": True}, ("other",)),
        ({"flagged": True, "categories": {}}, ("other",)),
        ({"flagged": True, "categories": None}, ("other",)),
        ({"flagged": True, "categories": {"hate": False}}, ("other",)),
        ({"flagged": False, "categories": {"hate": True}}, ("hate",)),
        ({"flagged": True, "categories": {"S4": True, "S1": False}}, ("sexual/minors",)),
        ({"flagged": False, "categories": {"brand new": True}}, ("other",)),
        ({"flagged": True, "categories": {"x\u202e<b>": True, "S10": True}}, ("hate", "other")),
    ],
)
def test_the_stricter_of_flag_and_categories_counts(
    result: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert verdict_of(result).categories == expected
    assert verdict_of({"flagged": False}, result, {"flagged": False}).categories == expected


def test_every_category_of_openai_keeps_its_name() -> None:
    assert len(OPENAI) == 13
    for name in OPENAI:
        assert category_of(name) == name
        assert category_of(name.replace("/", "_").replace("-", "_").upper()) == name


def test_every_label_of_mlcommons_is_translated() -> None:
    assert list(MLCOMMONS) == [f"S{number}" for number in range(1, 15)]
    for number, (name, category) in MLCOMMONS.items():
        assert category in CATEGORIES
        for label in (number, number.lower(), f" {number}: {name}.", name, name.upper()):
            assert category_of(label) == category, label


def test_every_name_of_granite_is_translated() -> None:
    for name, category in GRANITE.items():
        assert category in CATEGORIES
        for label in (name, name.upper(), name.replace("_", " "), name.replace("_", "-")):
            assert category_of(label) == category, label


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("S4", "sexual/minors"),
        ("S9", "illicit/violent"),
        ("S11", "self-harm"),
        ("S12", "sexual"),
        ("social_bias", "hate"),
        ("sexual_content", "sexual"),
        ("violence", "violence"),
        ("S0", "other"),
        ("S15", "other"),
        ("S44", "other"),
        ("S", "other"),
        ("", "other"),
        ("unsafe", "other"),
    ],
)
def test_labels_that_matter_most(label: str, category: str) -> None:
    assert category_of(label) == category


# Settings

URL = "LUCKRIG_MODERATION_URL"


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://api.openai.com", "https://api.openai.com", "/v1/moderations"),
        ("https://api.openai.com/", "https://api.openai.com", "/v1/moderations"),
        ("https://api.openai.com/v1", "https://api.openai.com", "/v1/moderations"),
        ("https://api.openai.com/v1/moderations", "https://api.openai.com", "/v1/moderations"),
        ("http://127.0.0.1:8001/guard", "http://127.0.0.1:8001", "/guard/v1/moderations"),
        ("http://[::1]:8001/a/moderations/", "http://[::1]:8001", "/a/moderations"),
    ],
)
def test_address_may_be_given_whole_or_in_part(url: str, origin: str, path: str) -> None:
    settings = moderation_settings({URL: url}, folder=FOLDER)
    assert settings is not None
    assert (settings.origin, settings.path) == (origin, path)
    assert (settings.output, settings.timeout_seconds, settings.key) == ("record", 5.0, None)


def test_all_settings_are_read() -> None:
    environ = {
        URL: "https://guard.example",
        "LUCKRIG_MODERATION_KEY": KEY,
        "LUCKRIG_MODERATION_MODEL": "guard-1b",
        "LUCKRIG_MODERATION_TIMEOUT": "0.5",
        "LUCKRIG_MODERATE_OUTPUT": "block",
    }
    settings = moderation_settings(environ, folder=FOLDER)
    assert settings == ModerationSettings(
        origin="https://guard.example",
        path="/v1/moderations",
        folder=FOLDER,
        key=KEY,
        model="guard-1b",
        timeout_seconds=0.5,
        output="block",
    )


@pytest.mark.parametrize(
    "environ",
    [{}, {URL: ""}, {"LUCKRIG_MODERATE_OUTPUT": "off"}, {"LUCKRIG_MODERATION_KEY": ""}],
)
def test_without_an_address_there_is_no_moderation_service(environ: dict[str, str]) -> None:
    assert moderation_settings(environ, folder=FOLDER) is None


WRONG: list[tuple[str, str]] = [
    *(
        (URL, value)
        for value in (
            "guard.example",
            "ftp://guard.example",
            "https://user:pass@guard.example",
            "https://guard.example?x=1",
            "https://guard.example/#x",
            "https://guard.example/a//b",
            "https://guard.example:99999",
            "https://guard.example/\r\nx",
            "https://guard.example/" + "a" * 500,
            "https://gu\u0430rd.example",
            " https://guard.example",
        )
    ),
    ("LUCKRIG_MODERATION_KEY", f"{KEY}\r\nx: y"),
    ("LUCKRIG_MODERATION_KEY", f"{KEY} "),
    ("LUCKRIG_MODERATION_MODEL", "a b"),
    ("LUCKRIG_MODERATION_TIMEOUT", "0.09"),
    ("LUCKRIG_MODERATION_TIMEOUT", "61"),
    ("LUCKRIG_MODERATION_TIMEOUT", "nan"),
    ("LUCKRIG_MODERATION_TIMEOUT", "soon"),
    ("LUCKRIG_MODERATE_OUTPUT", "blcok"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_values_stop_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        moderation_settings({URL: "https://guard.example", name: value}, folder=FOLDER)
    assert value not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("LUCKRIG_MODERATION_KEY", KEY), ("LUCKRIG_MODERATE_OUTPUT", "block")]
)
def test_asking_for_checks_without_an_address_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{URL} must be set"):
        moderation_settings({name: value}, folder=FOLDER)


def test_all_problems_are_told_at_once() -> None:
    environ = {
        URL: "x",
        "LUCKRIG_MODERATION_TIMEOUT": "x",
        "LUCKRIG_MODERATE_OUTPUT": "x",
    }
    with pytest.raises(ValueError, match=r"URL.*TIMEOUT.*OUTPUT"):
        moderation_settings(environ, folder=FOLDER)
