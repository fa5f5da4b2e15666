"""Owners' wishes: whose a node obeys."""

from typing import Any

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.jws import sign_with_kid
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.revocations import REVOCATIONS_TYPE
from luckrig.protocol.wishes import Wish, sign_wish, verify_wish

KEY, STRANGER = PrivateKey(b"k" * 32), PrivateKey(b"s" * 32)
ROOT_ID, NODE_ID = derive_id("r1", KEY.public), derive_id("n1", STRANGER.public)
NOW = 1_800_000_000
WISH = Wish(iss=ROOT_ID, aud=NODE_ID, paused=True, at=NOW)
OTHERS = (msgspec.structs.replace(WISH, iss=derive_id("r1", STRANGER.public)),
          msgspec.structs.replace(WISH, aud=derive_id("n1", KEY.public)),
          msgspec.structs.replace(WISH, at=NOW + 31))  # fmt: skip


def check(text: str) -> Wish:
    keys = {KEY.public.thumbprint: KEY.public}
    return verify_wish(text, keys=keys, issuer=ROOT_ID, audience=NODE_ID, now=NOW)


def test_a_wish_is_read_as_it_was_signed() -> None:
    for wish in (WISH, Wish(iss=ROOT_ID, aud=NODE_ID, paused=False, at=0)):
        assert check(sign_wish(wish, key=KEY)) == wish


def _changed(**claims: Any) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(WISH), **claims})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        sign_wish(WISH, key=KEY) + "x" * 1024,
        sign_wish(WISH, key=STRANGER),
        sign_wish(WISH, key=KEY)[:-4] + "AAAA",
        sign_with_kid(msgspec.json.encode(WISH), typ=REVOCATIONS_TYPE, key=KEY),
        sign_with_kid(_changed(more=1), typ="lr-wish+jwt", key=KEY),
        sign_with_kid(_changed(paused="yes"), typ="lr-wish+jwt", key=KEY),
        sign_with_kid(_changed(at=-1), typ="lr-wish+jwt", key=KEY),
        *(sign_wish(other, key=KEY) for other in OTHERS),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PeerError) as refused:
        check(text)
    assert refused.value.code == "signature_invalid"
