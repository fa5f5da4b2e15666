"""A sealed request opens at one rig, with one token, on one route, once, and soon."""

from random import Random
from typing import Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext import request
from luckrig.protocol.subtext.hpke import ENCAPSULATION_BYTES, Kem, SealingPrivateKey
from luckrig.protocol.subtext.request import (
    FRESH_SECONDS,
    PADDING_BYTES,
    Binding,
    Inner,
    Opened,
    Sealed,
    key_id_of,
    open_request,
    seal_request,
)
from tests.protocol.subtext.test_hpke import KEMS, private_key

NOW: Final = 1_800_000_000.7
BINDING: Final = Binding("n1" + "a" * 32, "header.claims.signature")
INNER: Final = Inner("/v1/responses", '{"input":"潮"}'.encode())
SECRET: Final = bytes(range(32))
KEYS: Final[dict[Kem, SealingPrivateKey]] = {kem: private_key(kem) for kem in KEMS}
X25519: Final = KEYS["x25519"]
# Key id, encapsulation and tag.
OVERHEAD: Final = 8 + 32 + 16
FUZZED: Final = 10_000
FIXED_BYTES: Final = 8 + 32 + 1 + 4


def sealed(inner: Inner = INNER, *, kem: Kem = "x25519", now: float = NOW) -> Sealed:
    return seal_request(inner, key=KEYS[kem].public, binding=BINDING, secret=SECRET, now=now)


def opened(
    payload: bytes,
    *,
    key: SealingPrivateKey = X25519,
    binding: Binding = BINDING,
    now: float = NOW,
) -> Opened:
    return open_request(payload, key=key, binding=binding, now=now)


def refusal(
    payload: bytes,
    *,
    key: SealingPrivateKey = X25519,
    binding: Binding = BINDING,
    now: float = NOW,
) -> PeerError:
    with pytest.raises(PeerError) as caught:
        open_request(payload, key=key, binding=binding, now=now)
    return caught.value


def by_hand(plaintext: bytes) -> bytes:
    """Any plaintext, honestly sealed."""
    public = X25519.public
    return public.key_id + public.seal(plaintext, info=BINDING.info(public.key_id))


@pytest.mark.parametrize("kem", KEMS)
def test_a_request_opens_as_it_was_sealed(kem: Kem) -> None:
    each = sealed(kem=kem)
    found = opened(each.payload, key=KEYS[kem])
    assert found.inner == INNER
    assert found.secret == each.secret == SECRET
    assert found.encapsulation == each.encapsulation
    assert len(found.encapsulation) == ENCAPSULATION_BYTES[kem]
    assert found.sealed_at == int(NOW)
    assert key_id_of(each.payload) == KEYS[kem].public.key_id


@given(st.text("/abc", max_size=255), st.binary(max_size=3000))
def test_any_path_and_body_come_back(path: str, body: bytes) -> None:
    assert opened(sealed(Inner(path, body)).payload).inner == Inner(path, body)


def test_the_same_request_is_never_the_same_bytes() -> None:
    payloads = [sealed().payload for _ in range(50)]
    assert len({each[8:40] for each in payloads}) == 50
    assert len({each[40:] for each in payloads}) == 50


@pytest.mark.parametrize(
    "binding",
    [
        Binding("n1" + "b" * 32, BINDING.token),
        Binding(BINDING.node_id, "header.claims.signaturf"),
        Binding(BINDING.node_id, ""),
        Binding("", BINDING.token),
        Binding(BINDING.node_id + "\0", BINDING.token),
        Binding("n1é", BINDING.token),
    ],
)
def test_it_opens_at_no_other_rig_and_with_no_other_token(binding: Binding) -> None:
    assert refusal(sealed().payload, binding=binding).code == "sealed_invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CARRIER_METHOD", "PUT"),
        ("CARRIER_PATH", "/v1/completions"),
        ("CARRIER_PATH", "/v1/chat/completions/"),
        ("LABEL", b"luckrig subtext 2 request"),
    ],
)
def test_it_opens_on_no_other_route_and_as_no_other_version(name: str, value: object) -> None:
    """The route isn't an argument, so the constant is what changes here."""
    with patch.object(request, name, value):
        payload = sealed().payload
        assert opened(payload).inner == INNER
    assert refusal(payload).code == "sealed_invalid"


def test_no_two_bindings_have_one_info() -> None:
    """Each part has its length before it, so nothing moves from one into the next."""
    infos = {
        Binding(node_id, token).info(key_id)
        for node_id in ("n1", "n1a", "n1ab", "")
        for token in ("a", "b", "ab")
        for key_id in (b"12345678", b"12345679", b"b1234567")
    }
    assert len(infos) == 4 * 3 * 3
    assert BINDING.token.encode() not in BINDING.info(b"12345678")


@pytest.mark.parametrize("kem", KEMS)
def test_it_opens_with_no_other_key(kem: Kem) -> None:
    payload = sealed(kem=kem).payload
    other = private_key(kem, "another rig")
    assert refusal(payload, key=other).code == "sealed_invalid"
    renamed = other.public.key_id + payload[8:]
    assert refusal(renamed, key=other).code == "sealed_invalid"
    assert refusal(renamed, key=KEYS[kem]).code == "sealed_invalid"
    wrong_kem = KEYS["x25519" if kem != "x25519" else "mlkem768-x25519"]
    assert refusal(payload, key=wrong_kem).code == "sealed_invalid"


def test_every_flipped_bit_is_refused_with_one_text() -> None:
    payload = sealed().payload
    texts = {
        refusal(payload[:at] + bytes((payload[at] ^ 1 << bit,)) + payload[at + 1 :]).message
        for at in range(len(payload))
        for bit in range(8)
    }
    assert len(texts) == 1


def test_a_flipped_bit_of_every_byte_of_a_hybrid_request_is_refused() -> None:
    """So the replay memory can know a request by its encapsulation: nobody can spell it anew."""
    payload, key = sealed(kem="mlkem768-x25519").payload, KEYS["mlkem768-x25519"]
    for at in range(8 + ENCAPSULATION_BYTES["mlkem768-x25519"] + 16):
        changed = payload[:at] + bytes((payload[at] ^ 0x80,)) + payload[at + 1 :]
        assert refusal(changed, key=key).code == "sealed_invalid"


@pytest.mark.parametrize(
    ("seconds", "is_fresh"),
    [
        (0, True),
        (FRESH_SECONDS, True),
        (FRESH_SECONDS + 1, False),
        (-FRESH_SECONDS, True),
        (-FRESH_SECONDS - 1, False),
        (86_400, False),
    ],
)
def test_it_is_fresh_for_two_minutes(seconds: int, is_fresh: bool) -> None:
    payload, now = sealed(now=int(NOW)).payload, int(NOW) + seconds
    if is_fresh:
        assert opened(payload, now=now).inner == INNER
    else:
        assert refusal(payload, now=now).code == "sealed_stale"


@pytest.mark.parametrize("sealed_at", [0, 2**63, 2**64 - 1])
def test_times_of_no_year_are_stale(sealed_at: int) -> None:
    assert refusal(sealed(now=sealed_at).payload).code == "sealed_stale"


def test_its_length_grows_in_steps_of_a_kilobyte() -> None:
    room = PADDING_BYTES - FIXED_BYTES - len(INNER.path)
    for length, steps in ((0, 1), (1, 1), (room, 1), (room + 1, 2), (room + 1024, 2), (9999, 10)):
        payload = sealed(Inner(INNER.path, b"x" * length)).payload
        assert len(payload) == OVERHEAD + steps * PADDING_BYTES


def layouts() -> dict[str, bytes]:
    """Plaintexts of the right length that nobody of ours writes."""
    time, path = int(NOW).to_bytes(8, "big"), b"\x0d/v1/responses"
    start = time + SECRET
    return {
        "nothing": b"",
        "one byte": b"\0",
        "less than a step": (start + path + bytes(4)).ljust(1023, b"\0"),
        "more than a step": (start + path + bytes(4)).ljust(1025, b"\0"),
        "a body longer than there is": (start + path + b"\xff" * 4).ljust(1024, b"\0"),
        "a body one longer than there is": (
            start + path + (1024 - FIXED_BYTES - 13 + 1).to_bytes(4, "big")
        ).ljust(1024, b"\0"),
        "a step of padding": (start + path + bytes(4)).ljust(2048, b"\0"),
        "a megabyte of padding": (start + path + bytes(4)).ljust(1 << 20, b"\0"),
        "a last byte of padding": (start + path + bytes(4)).ljust(1023, b"\0") + b"\1",
        "a byte right behind the body": (start + path + bytes(4) + b"x").ljust(1024, b"\0"),
        "a path that isn't ASCII": (start + b"\2/\xe9" + bytes(4)).ljust(1024, b"\0"),
        "all ones": b"\xff" * 1024,
    }


@pytest.mark.parametrize("name", layouts())
def test_other_layouts_are_refused_with_that_text_too(name: str) -> None:
    error = refusal(by_hand(layouts()[name]))
    assert error.code == "sealed_invalid"
    assert error.message == refusal(b"").message


def test_what_cannot_be_sealed_is_our_fault() -> None:
    for inner in (Inner("/" * 256, b""), Inner("/é", b"")):
        with pytest.raises(ValueError, match=r"255|ascii"):
            sealed(inner)
    with pytest.raises(ValueError, match="32 bytes"):
        seal_request(INNER, key=X25519.public, binding=BINDING, secret=b"short", now=NOW)


def test_ten_thousand_payloads_are_refused_and_nothing_else() -> None:
    """Random ones, and good ones that were cut, mixed, changed or put together."""
    random = Random(1)  # noqa: S311 -- the same each time
    good = [sealed(Inner("/v1/x", b"x" * length)).payload for length in (0, 2000)]
    key_id = X25519.public.key_id
    for number in range(FUZZED):
        payload = random.choice(good)
        kind = number % 5
        if kind == 0:
            fuzzed = random.randbytes(random.randrange(200))
        elif kind == 1:
            fuzzed = payload[: random.randrange(len(payload))]
        elif kind == 2:
            fuzzed = key_id + random.randbytes(random.randrange(200))
        elif kind == 3:
            at = random.randrange(len(payload))
            fuzzed = payload[:at] + random.randbytes(random.randrange(1, 40)) + payload[at:]
        else:
            fuzzed = good[0][: random.randrange(8, 1000)] + good[1][random.randrange(8, 1000) :]
        assert refusal(fuzzed).code == "sealed_invalid"


def test_no_repr_shows_prompt_token_or_secret() -> None:
    each = sealed()
    shown = repr((INNER, BINDING, each, opened(each.payload)))
    assert "input" not in shown
    assert BINDING.token not in shown
    assert repr(SECRET)[2:12] not in shown
