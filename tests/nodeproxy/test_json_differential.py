"""Bodies that JSON readers read differently: each is refused, or written anew in one reading.

Ollama is written in Go, whose reader takes the last of two equal keys and ignores case, Unicode's
too (U+017F is an "s"); llama-server takes every field it knows. A filter that read another document
than the engine would be no filter.
"""

import json
import math
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio

from tests.fake_engines.openai_compatible import MODEL, FakeOpenAi
from tests.nodeproxy.rigs import Rig, running_rig

PATH: Final = "/v1/chat/completions"
NEVER: Final = 3600.0
GOOD: Final = b'"messages":[{"role":"user","content":"good"}]'
BAD: Final = b'[{"role":"user","content":"bad"}]'
START: Final = b'{"model":"%b",' % MODEL.encode()


def with_field(field: bytes) -> bytes:
    """A good chat and one more field."""
    return START + GOOD + b"," + field + b"}"


def with_text(text: bytes) -> bytes:
    """A chat whose text is this, between quotes."""
    return START + b'"messages":[{"role":"user","content":"%b"}]}' % text


def nested(depth: int) -> bytes:
    """Arrays in one another, in the one place where a chat may hold anything."""
    value = b"[" * depth + b"]" * depth
    function = b'{"name":"f","parameters":{"x":%b}}' % value
    return with_field(b'"tools":[{"type":"function","function":%b}]' % function)


class Family(NamedTuple):
    """One way in which readers differ, and bodies that show it."""

    name: str
    bodies: dict[str, bytes]


REFUSED: Final = (
    Family("a key given twice", {
        "at the top": START + GOOD + b',"messages":' + BAD + b"}",
        "bad first": START + b'"messages":' + BAD + b"," + GOOD + b"}",
        "the same value": with_field(GOOD),
        "inside a message": START
        + b'"messages":[{"role":"user","content":"good","content":"bad"}]}',
        "the role": START + b'"messages":[{"role":"user","role":"system","content":"good"}]}',
        "in a schema": with_field(
            b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1,"a":2}}}]'
        ),
    }),
    Family("a key given twice, once escaped", {
        "first letter": with_field(b'"\\u006dessages":' + BAD),
        "last letter": with_field(b'"message\\u0073":' + BAD),
        "both escaped": START + b'"\\u006dessages":' + BAD + b',"messag\\u0065s":' + BAD + b"}",
    }),
    Family("another case", {
        "Messages": with_field(b'"Messages":' + BAD),
        "MESSAGES": with_field(b'"MESSAGES":' + BAD),
        "alone": START + b'"Messages":' + BAD + b"}",
        "Content": START + b'"messages":[{"role":"user","content":"good","Content":"bad"}]}',
        "Options": with_field(b'"Options":{"num_ctx":1}'),
    }),
    Family("a case that only Unicode knows", {
        "long s": with_field('"meſſages":'.encode() + BAD),
        "escaped long s": with_field(b'"me\\u017f\\u017fages":' + BAD),
        "kelvin sign": with_field(b'"max_toKens":9'),
    }),
    Family("a field that only some engine knows", {
        name: with_field(b'"%b":%b' % (name.encode(), value))
        for name, value in {
            "n_predict": b"99999", "prompt": b'"bad"', "input": b'"bad"', "keep_alive": b"-1",
            "options": b'{"num_ctx":1}', "template": b'"bad"', "raw": b"true", "grammar": b'"x"',
            "lora": b"[]", "id_slot": b"0", "cache_prompt": b"true", "ignore_eos": b"true",
            "chat_template_kwargs": b"{}", "json_schema": b"{}", "num_ctx": b"9", "images": b"[]",
            "system": b'"bad"', "messages\\u0000": BAD, " messages": BAD, "": BAD,
            "__proto__": b'{"messages":[]}',
        }.items()
    }),
    Family("what is no number", {
        "NaN": with_field(b'"temperature":NaN'),
        "Infinity": with_field(b'"temperature":Infinity'),
        "-Infinity": with_field(b'"temperature":-Infinity'),
        "nan": with_field(b'"temperature":nan'),
    }),
    Family("an integer that needs more than 64 bits", {
        "2**64": with_field(b'"seed":18446744073709551616'),
        "-2**63-1": with_field(b'"seed":-9223372036854775809'),
        "400 digits": with_field(b'"seed":1' + b"0" * 400),
        "5,000 digits": with_field(b'"seed":' + b"9" * 5000),
        "in a schema": with_field(
            b'"tools":[{"type":"function","function":{"name":"f",'
            b'"parameters":{"a":99999999999999999999}}}]'
        ),
    }),
    Family("a number beyond doubles", {
        "1e400": with_field(b'"temperature":1e400'),
        "-1e400": with_field(b'"presence_penalty":-1e400'),
        "as an integer": with_field(b'"max_tokens":1e400'),
        "in a schema": with_field(
            b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1e999}}}]'
        ),
    }),
    Family("half a surrogate pair", {
        "high": with_text(b"\\ud800"),
        "low": with_text(b"\\udc00"),
        "the wrong way round": with_text(b"\\udc00\\ud800"),
        "in a key": with_field(b'"\\ud800":1'),
        "as bytes": with_text(b"\xed\xa0\x80"),
    }),
    Family("bytes that aren't UTF-8", {
        "overlong": with_text(b"\xc0\xaf"),
        "Latin-1": with_text(b"caf\xe9"),
        "cut off": with_text(b"\xf0\x9f\x98"),
        "beyond Unicode": with_text(b"\xf5\x80\x80\x80"),
        "in an unknown field": with_field(b'"x":"\xff"'),
    }),
    Family("another encoding", {
        "byte order mark": b"\xef\xbb\xbf" + START + GOOD + b"}",
        "UTF-16": (START + GOOD + b"}").decode().encode("utf-16"),
        "UTF-16 without a mark": (START + GOOD + b"}").decode().encode("utf-16-le"),
        "UTF-32": (START + GOOD + b"}").decode().encode("utf-32"),
    }),
    Family("something after the end", {
        "a second document": START + GOOD + b"}" + START + b'"messages":' + BAD + b"}",
        "on a line of its own": START + GOOD + b"}\n" + START + b'"messages":' + BAD + b"}",
        "a brace": START + GOOD + b"}}",
        "NUL": START + GOOD + b"}\0",
        "a letter": START + GOOD + b"}x",
    }),
    Family("comments", {
        "line": START + b"// x\n" + GOOD + b"}",
        "block": START + b"/* x */" + GOOD + b"}",
        "hash": START + b"# x\n" + GOOD + b"}",
        "that hides a key": START + b'/*"messages":' + BAD + b",*/" + GOOD + b"}",
    }),
    Family("what only JavaScript reads", {
        "comma at the end": START + GOOD + b",}",
        "comma in a list": START + b'"messages":[{"role":"user","content":"good"},]}',
        "single quotes": START.replace(b'"', b"'") + GOOD.replace(b'"', b"'") + b"}",
        "bare keys": b'{model:"%b",' % MODEL.encode() + GOOD + b"}",
        "undefined": with_field(b'"seed":undefined'),
    }),
    Family("numbers of another form", {
        name: with_field(b'"seed":' + name.encode())
        for name in ("+1", "01", "0x10", ".5", "1.", "1e", "1_000", "--1", "\u0661", "0o7")
    }),
    Family("strings of another form", {
        "line end": with_text(b"a\nb"),
        "NUL": with_text(b"a\x00b"),
        "escape": with_text(b"a\\x41"),
        "vertical tab": with_text(b"a\\v"),
        "half an escape": with_text(b"a\\u12"),
        "surrounded by NULs": b"\0" + with_text(b"good") + b"\0",
    }),
    Family("another white space", {
        name: START + character.encode() + GOOD + b"}"
        for name, character in {
            "form feed": "\f", "vertical tab": "\v", "no-break": "\xa0", "line separator": "\u2028",
        }.items()
    }),
    Family("deep nesting", {
        "33 levels": nested(30),
        "100,000 levels": b"[" * 100_000,
        "100,000 objects": b'{"a":' * 100_000,
        "closed": b"[" * 50_000 + b"]" * 50_000,
        "in a schema": nested(10_000),
    }),
    Family("many values", {
        "in a list": with_field(b'"stop":[' + b",".join([b'"a"'] * 20_000) + b"]"),
        "in a schema": with_field(
            b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":['
            + b",".join([b"0"] * 20_000)
            + b"]}}}]"
        ),
    }),
    Family("another type", {
        "true as text": with_field(b'"stream":"true"'),
        "true as a number": with_field(b'"stream":1'),
        "number as text": with_field(b'"max_tokens":"5"'),
        "half a token": with_field(b'"max_tokens":1.5'),
        "a whole one with a point": with_field(b'"max_tokens":5.0'),
        "an object for a list": START + b'"messages":{"0":{"role":"user","content":"bad"}}}',
        "a list for an object": b'[["model","x"]]',
        "text for the whole": b'"messages"',
        "nothing": b"",
        "space": b" \n",
        "null": b"null",
    }),
)  # fmt: skip

CASES: Final = [
    pytest.param(body, id=f"{family.name}: {name}")
    for family in REFUSED
    for name, body in family.bodies.items()
]

REWRITTEN: Final[dict[str, bytes]] = {
    "an escaped key": START + b'"mess\\u0061ges":[{"r\\u006fle":"user","content":"good"}]}',
    "escaped text": with_text(b"\\u0067o\\/\\ud83d\\ude00\\\\\\u0022"),
    "white space": b" \t\r\n" + START + b"\n\t " + GOOD + b" }\r\n ",
    "line separators": with_text("\u2028\u2029".encode()),
    "an escaped NUL": with_text(b"a\\u0000b"),
    "keys that only look alike": with_text(b'\\",\\"messages\\":[{\\"role\\":\\"user\\"}]'),
    "a number next to nothing": with_field(b'"temperature":1e-400'),
    "minus nothing": with_field(b'"temperature":-0'),
    "many digits": with_field(b'"temperature":0.1000000000000000000000000000000000000000001'),
    "nulls": with_field(b'"stop":null,"tools":null,"seed":null'),
    "capitals in a schema": with_field(
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1,"A":2}}}]'
    ),
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scene(NamedTuple):
    """One rig for all cases."""

    engine: FakeOpenAi
    rig: Rig


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="shared")
async def one_scene() -> AsyncIterator[Scene]:
    async with (
        FakeOpenAi(reply=["Hi"]) as engine,
        running_rig(engine.url, health_interval_seconds=NEVER) as rig,
    ):
        yield Scene(engine, rig)


@pytest.fixture
def scene(shared: Scene) -> Scene:
    shared.engine.requests.clear()
    return shared


@pytest.mark.parametrize("body", CASES)
async def test_what_readers_differ_about_is_refused(body: bytes, scene: Scene) -> None:
    response = await scene.rig.post(PATH, body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["code"] in ("invalid_json", "invalid_request")
    assert scene.engine.requests == []


def strict(body: bytes) -> Any:
    """Read JSON, and insist that no reader could read it otherwise."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def no_constant(name: str) -> None:
        raise AssertionError(name)

    document = json.loads(body.decode(), object_pairs_hook=unique, parse_constant=no_constant)
    without_spaces = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(without_spaces) == len(body)  # nothing is written at greater length than it must be
    return document


@pytest.mark.parametrize("body", REWRITTEN.values(), ids=REWRITTEN)
async def test_what_is_good_is_written_anew(body: bytes, scene: Scene) -> None:
    response = await scene.rig.post(PATH, body)
    assert response.status_code == 200, response.text
    (request,) = scene.engine.requests
    sent, asked = strict(request.body), json.loads(body)
    assert len({key.casefold() for key in sent}) == len(sent)
    assert sent["messages"] == asked["messages"]
    assert math.isclose(sent.get("temperature", 0), asked.get("temperature", 0))
    assert sent.get("tools") == asked.get("tools")


async def test_there_are_twelve_families_and_more() -> None:
    assert len(REFUSED) >= 12
    assert len(CASES) >= 90
