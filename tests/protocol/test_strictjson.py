"""Strict JSON takes exactly the documents that every reader reads alike, in linear time."""

import json
from collections.abc import Mapping

import msgspec
import pytest

from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError
from luckrig.protocol.strictjson import DEFAULT_LIMITS, NO_HINTS, Limits

MARKER = "s3cret-value"


class Point(msgspec.Struct, forbid_unknown_fields=True):
    """A small strict type."""

    x: int
    tags: list[str] = []  # msgspec copies the default


class Lenient(msgspec.Struct):
    """A type that skips what it doesn't know."""

    x: int = 0


def refusal(
    body: bytes,
    type: type[object] = object,
    *,
    limits: Limits = DEFAULT_LIMITS,
    hints: Mapping[str, str] = NO_HINTS,
) -> PeerError:
    with pytest.raises(PeerError) as caught:
        strictjson.decode(body, type, limits=limits, hints=hints)
    return caught.value


def test_a_good_document_becomes_the_type() -> None:
    assert strictjson.decode(b'{"x": 1, "tags": ["a"]}', Point) == Point(1, ["a"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b"[1,]",
        b'{"a":1,}',
        b"{} {}",
        b"[1 2]",
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[1.]",
        b"{'a':1}",
        b"{a:1}",
        b'{"a"}',
        b'["a":1]',
        b":1",
        b'"',
        b'"\\',
        b'"\\"',
        b'["a\\q"]',
        b'["\n"]',
        b'["\x00"]',
        b"[1]]",
        b"[}",
        b"// c\n1",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe[\x00]\x00",
        b'["\xff"]',
        b'["\xc0\xaf"]',
        b'["\xed\xa0\x80"]',
        b'["\\ud800"]',
        b'["\\udc00"]',
        b'["\\ud800\\u0041"]',
        b'{"\\ud800": 1}',
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    error = refusal(body)
    assert (error.code, error.status, error.param) == ("invalid_json", 400, None)


@pytest.mark.parametrize("body", [b'{"skipped": "\xff"}', b'{"skipped": "\\ud800"}'])
def test_fields_that_a_type_skips_are_held_to_the_same_rules(body: bytes) -> None:
    """msgspec doesn't look at the bytes of strings it has no use for."""
    assert refusal(body, Lenient).code == "invalid_json"


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": 1, "a": 1}',
        rb'{"a": 1, "\u0061": 1}',
        rb'{"\u0061": 1, "a": 1}',
        rb'{"\u00e4": 1, "\u00E4": 1}',
        '{"ä": 1, "\\u00e4": 1}'.encode(),
        rb'{"\\": 1, "\u005c": 1}',
        rb'{"\"": 1, "\u0022": 1}',
        rb'{"/": 1, "\/": 1}',
        rb'{"\ud83d\ude00": 1, "\ud83d\ude00": 1}',
        '{"😀": 1, "\\ud83d\\ude00": 1}'.encode(),
        rb'{"": 1, "": 1}',
        rb'{"a" : 1, "b": "a", "a"' + b"\t\r\n :1}",
        rb'[{"a": {"b": [{"c": 1, "d": 2, "c": 3}]}}]',
        rb'{"a": {"a": 1}, "b": [], "a": 1}',
        rb'{"a": "\\", "a": "\""}',
    ],
)
def test_a_key_given_twice_is_refused_in_every_spelling(body: bytes) -> None:
    error = refusal(body)
    assert error.code == "invalid_json"
    assert "given twice" in error.message


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": 1, "A": 1}',
        rb'{"a": {"a": 1}, "b": {"a": 1}}',
        rb'[{"a": 1}, {"a": 1}]',
        rb'{"a": "a", "b": "a"}',
        rb'{"a\\": 1, "a": 1, "a\"": 1}',
        rb'{"a\\u0062": 1, "ab": 1}',
        rb'{"a": "\",\"a\":", "b": "\\"}',
        rb'["a:", "a", ":"]',
        rb'{"k": "k:", "q": "\":"}',
    ],
)
def test_keys_that_only_look_alike_are_kept(body: bytes) -> None:
    assert strictjson.decode(body, object) == json.loads(body)


@pytest.mark.parametrize(
    ("integer", "fits"),
    [
        ("9223372036854775808", True),
        ("18446744073709551615", True),
        ("18446744073709551616", False),
        ("-9223372036854775808", True),
        ("-9223372036854775809", False),
        ("99999999999999999999", False),
        ("1" * 5000, False),
        ("-" + "9" * 5000, False),
        ("123456789012345678901234567890.5", True),
        ("0." + "1" * 60, True),
        ("1234567890123456789012e-3", True),
        ("1E+0000000000000000000001", True),
    ],
)
def test_integers_end_at_64_bits(integer: str, fits: bool) -> None:
    body = f'{{"a": [ {integer} ], "b": "{"7" * 30}"}}'.encode()
    if fits:
        assert strictjson.decode(body, object) == json.loads(body)
    else:
        assert "64 bits" in refusal(body).message


def test_depth_ends_at_the_limit() -> None:
    deep = DEFAULT_LIMITS.depth
    strictjson.decode(b"[" * deep + b"]" * deep, object)
    strictjson.decode(b'{"a":' * (deep - 1) + b"[]" + b"}" * (deep - 1), object)
    too_deep = b'{"a":' * deep + b"[]" + b"}" * deep
    assert "deeper than 32" in refusal(too_deep).message


def test_the_number_of_values_ends_at_the_limit() -> None:
    def array(values: int) -> bytes:
        return b"[" + b",".join([b'"a"'] * (values - 1)) + b"]"

    strictjson.decode(array(10_000), object)
    strictjson.decode(b"[" + b"[ ],{\n}," * 4998 + b'{"key": 1}, 2]', object)
    pairs = b",".join(b'"%d": "a"' % number for number in range(9_999))
    strictjson.decode(b"{" + pairs + b"}", object)
    assert "more than 10000 values" in refusal(array(10_001)).message
    keys = b",".join(b'"%d": [ ]' % number for number in range(10_000))
    assert "more than 10000 values" in refusal(b"{" + keys + b"}").message


def test_limits_can_be_tightened() -> None:
    assert refusal(b"[[1]]", limits=Limits(depth=1)).code == "invalid_json"
    assert refusal(b"[1,2]", limits=Limits(values=2)).code == "invalid_json"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"[]", None),
        (b"null", None),
        (b'{"x": "1"}', "x"),
        (b'{"x": 1.0}', "x"),
        (b'{"x": true}', "x"),
        (b"{}", "x"),
        (b'{"x": 1, "X": 2}', "X"),
        (b'{"x": 1, "tags": ["a", 2]}', "tags[1]"),
        (b'{"x": 1, "' + b"y" * 1000 + b'": 1}', "y" * 64),
        ('{"x": 1, "a\\u001b\u202e`": 1}'.encode(), "a???"),
    ],
)
def test_faults_of_types_name_the_field(body: bytes, param: str | None) -> None:
    error = refusal(body, Point)
    assert (error.code, error.status, error.param) == ("invalid_request", 400, param)
    assert error.message.isprintable()
    assert len(error.message) < 200


def test_a_hint_explains_a_field_wherever_it_is() -> None:
    error = refusal(b'{"x": 1, "tags": ["a", 2]}', Point, hints={"tags[]": "Tags are words."})
    assert error.message == "`tags[1]`: expected `str`, got `int`. Tags are words."


@pytest.mark.parametrize(
    "body",
    [
        f'{{"x": "{MARKER}"}}',
        f'{{"x": 1, "y": "{MARKER}"}}',
        f'{{"x": 1, "x": "{MARKER}"}}',
        f'{{"x": 1, "tags": "{MARKER}"}}',
        f'["{MARKER}"',
        f'["{MARKER}\\q"]',
        MARKER,
    ],
)
def test_no_message_quotes_a_value(body: str) -> None:
    error = refusal(body.encode(), Point)
    assert MARKER not in error.message
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 200_000,
        b'"' * 1_000_000,
        b'"' + b'\\"' * 500_000,
        b"\\" * 1_000_000,
        b'"\\' * 500_000,
        b'\\"["{' * 200_000,
        b"[]" * 500_000,
        b"[" + b"[]," * 300_000,
        b"}" * 1_000_000,
        b":" * 1_000_000,
        b'":' * 500_000,
        b'"a' + b" " * 1_000_000,
        b" " * 1_000_000,
        b"1" * 1_000_000,
        b"1-" * 500_000,
        b"[" + b"-1234567890123456789.," * 50_000,
        b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}",
        b'{"' + b"a - at `$" * 100_000 + b'": 1}',
        b'{"' + b"\\u0061" * 150_000 + b'": 1}',
    ],
)
def test_a_megabyte_of_anything_is_refused_in_linear_time(body: bytes) -> None:
    """The time limit of the test is the assertion: quadratic work on a megabyte takes minutes."""
    assert refusal(body, Point).status == 400
