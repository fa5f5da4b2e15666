"""The node's side of tokens: what it remembers, and what a token allows."""

import msgspec
import pytest

from luckrig.nodeproxy.tokens import TokenUsage, TokenVerifier
from luckrig.protocol.errors import LuckrigError, TokenExpired, TokenForged
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.tokens import Claims, Limits, issue
from tests.vectors import load_vectors

VECTORS = load_vectors("tokens")
KEY = PrivateKey(bytes.fromhex(VECTORS["signing_seed"]))
KEYS = {KEY.public.thumbprint: KEY.public}
GOOD: str = VECTORS["good"]["bearer"]["token"]
CLAIMS = msgspec.convert(VECTORS["good"]["bearer"]["claims"], Claims)


class Clock:
    """Unix seconds; tests move them."""

    now = float(VECTORS["now"])

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time of the vectors."""
    return Clock()


@pytest.fixture
def verifier(clock: Clock) -> TokenVerifier:
    """The verifier of the vectors' node, with its tracker's keys."""
    verifier = TokenVerifier(issuer=VECTORS["issuer"], node_id=VECTORS["audience"], clock=clock)
    verifier.replace_keys(KEYS, expires_at=clock.now + 10_000)
    return verifier


def test_remembered_token_still_expires(verifier: TokenVerifier, clock: Clock) -> None:
    assert verifier.verify(GOOD) == verifier.verify(GOOD) == CLAIMS
    clock.now = CLAIMS.exp
    for _ in range(2):
        with pytest.raises(TokenExpired):
            verifier.verify(GOOD)


def test_remembered_token_dies_with_its_key(verifier: TokenVerifier, clock: Clock) -> None:
    verifier.verify(GOOD)
    other = PrivateKey(b"another key of the same tracker!").public
    verifier.replace_keys({other.thumbprint: other}, expires_at=clock.now + 10_000)
    with pytest.raises(TokenForged):
        verifier.verify(GOOD)


def test_without_valid_keys_nothing_is_accepted(verifier: TokenVerifier, clock: Clock) -> None:
    verifier.replace_keys(KEYS, expires_at=clock.now)
    with pytest.raises(LuckrigError) as refused:
        verifier.verify(GOOD)
    assert (refused.value.code, refused.value.status) == ("keyset_unavailable", 503)


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_forgeries_are_refused_every_time(verifier: TokenVerifier, name: str) -> None:
    for _ in range(2):
        with pytest.raises(TokenForged):
            verifier.verify(VECTORS["refused"][name])


def with_limits(jti: str = "a-token-of-16-chars", **limits: int) -> Claims:
    """The good claims with other limits."""
    lim = msgspec.structs.replace(CLAIMS.lim, **limits)
    return msgspec.structs.replace(CLAIMS, lim=lim, jti=jti)


def test_requests_of_a_token_are_counted(clock: Clock) -> None:
    usage, claims = TokenUsage(clock=clock), with_limits(requests=3)
    for _ in range(3):
        usage.begin(claims)
        usage.end(claims)
    with pytest.raises(LuckrigError) as refused:
        usage.begin(claims)
    assert refused.value.code == "rate_limited"
    usage.begin(with_limits(jti="another-token-of-it", requests=3))


def test_requests_at_once_are_counted_for_the_user_not_the_token(clock: Clock) -> None:
    usage = TokenUsage(clock=clock)
    usage.begin(with_limits(jti="one-token-of-a-user", concurrency=2))
    usage.begin(with_limits(jti="two-token-of-a-user", concurrency=2))
    with pytest.raises(LuckrigError):
        usage.begin(with_limits(jti="six-token-of-a-user", concurrency=2))
    usage.end(with_limits(concurrency=2))
    usage.begin(with_limits(jti="six-token-of-a-user", concurrency=2))


def test_used_up_tokens_are_forgotten_only_after_they_expired(clock: Clock) -> None:
    usage = TokenUsage(clock=clock)
    old = with_limits(jti="token-that-is-used-up", requests=1)
    usage.begin(old)
    usage.end(old)
    for number in range(2000):
        claims = with_limits(jti=f"token-number-{number:08}")
        usage.begin(claims)
        usage.end(claims)
    with pytest.raises(LuckrigError):
        usage.begin(old)
    assert isinstance(old.lim, Limits)


def test_token_issued_now_is_accepted(verifier: TokenVerifier, clock: Clock) -> None:
    token = issue(msgspec.structs.replace(CLAIMS, jti="fresh-token-0000000"), key=KEY)
    assert verifier.verify(token).jti == "fresh-token-0000000"
