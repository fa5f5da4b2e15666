"""Signing a browser in with a user's key: one-time codes, sessions, tokens against forged forms.

Whoever has the key asks for a code and opens its address in a browser, which gets a cookie for it.
The store keeps the cookie's hash; the token that every form carries is derived from the cookie, so
that it says nothing about any other session.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.cases import SessionRecord
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.users import check_key
from luckrig.tracker.store.interface import Store

CODE_SECONDS: Final = 300
"""How long a code is good: enough to change windows, too short to be found in a history."""
SESSION_SECONDS: Final = 12 * 3600
"""A working day; after it the key signs in again."""
IDLE_SECONDS: Final = 1800
MAX_CODES: Final = 1000
"""At once, used ones too until they expire; so it also bounds how many sessions begin."""
MAX_CODES_PER_NETWORK: Final = 20
"""So that no network takes all of them."""
USED_EVERY_SECONDS: Final = 60
"""How exactly it is stored when a session was used last: a page view mustn't be a write."""

_SECRET_BYTES: Final = 32
_MAX_SECRET_CHARS: Final = 64
"""What is longer is none of ours, and isn't hashed."""
_FORM_LABEL: Final = b"luckrig form v1"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A code that was given out. used: whether a browser has entered with it."""

    user_id: str
    network: str | None
    expires_at: int
    used: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A browser that is signed in. secret: its cookie's value, which no log may hold."""

    record: SessionRecord
    secret: str = field(repr=False)

    @property
    def user_id(self) -> str:
        """Whose key signed it in."""
        return self.record.user_id


class SessionService:
    """random_bytes: secret ones. Codes live in memory: after a restart one asks again."""

    def __init__(
        self,
        store: Store,
        operators: Operators,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._operators = operators
        self._clock = clock
        self._random_bytes = random_bytes
        self._codes: dict[str, Code] = {}
        self._writing = asyncio.Lock()

    async def invite(self, user_id: str, *, network: str | None = None) -> tuple[str, int]:
        """A code that signs one browser in, once, and until when it is good (Unix seconds).

        network: where the request came from; None isn't limited. Operators get one whatever others
        ask for. Raises PeerError key_replaced, rate_limited. A banned user gets one: they must be
        able to read why, and to appeal.
        """
        await check_key(self._store, user_id)
        now = int(self._clock())
        self._codes = {name: code for name, code in self._codes.items() if now < code.expires_at}
        if user_id not in self._operators:
            self._check_room(network)
        code = self._new_secret()
        expires_at = now + CODE_SECONDS
        self._codes[_hash(code)] = Code(user_id=user_id, network=network, expires_at=expires_at)
        return code, expires_at

    def whose(self, code: str) -> str:
        """Who would be signed in. Changes nothing. Raises PeerError sign_in_required."""
        return self._code(code).user_id

    async def enter(self, code: str) -> tuple[str, SessionRecord]:
        """Use a code up: the new cookie's value, and what is stored of it.

        Raises PeerError sign_in_required for a code that isn't good, key_replaced.
        """
        known = self._code(code)
        self._codes[_hash(code)] = replace(known, used=True)  # before anything is awaited
        await check_key(self._store, known.user_id)
        secret, now = self._new_secret(), int(self._clock())
        record = SessionRecord(
            token_hash=_hash(secret),
            user_id=known.user_id,
            created_at=now,
            used_at=now,
            expires_at=now + SESSION_SECONDS,
        )
        await self._store.sessions.put_session(record)
        if known.user_id in self._operators:
            entry = AuditEntry(at=now, by=known.user_id, event="entered", subject=known.user_id)
            await self._store.cases.log([entry])
            _log.info("operator %s signed in", known.user_id)
        return secret, record

    async def user_of(self, cookie: str) -> Session | None:
        """The session of that cookie, which is in use from now on; None if it is none, or over."""
        if not 0 < len(cookie) <= _MAX_SECRET_CHARS:
            return None
        record = await self._store.sessions.session(_hash(cookie))
        if record is None:
            return None
        now = int(self._clock())
        is_over = now >= record.expires_at or now >= record.used_at + IDLE_SECONDS
        if is_over or await self._store.users.handover(record.user_id) is not None:
            await self.leave(cookie)
            return None
        if now >= record.used_at + USED_EVERY_SECONDS:
            record = replace(record, used_at=now)
            await self._note_use(record)
        return Session(record=record, secret=cookie)

    async def leave(self, cookie: str) -> None:
        """End the session of that cookie, if there is one."""
        if 0 < len(cookie) <= _MAX_SECRET_CHARS:
            async with self._writing:
                await self._store.sessions.end_session(_hash(cookie))

    def csrf_token(self, session: Session) -> str:
        """What every form of a session carries: 43 characters, the same as long as it lasts."""
        digest = hmac.new(session.secret.encode(), _FORM_LABEL, hashlib.sha256).digest()
        return b64url_encode(digest)

    def check_csrf(self, session: Session, token: str) -> None:
        """Raises PeerError cross_site unless a form carried this session's token."""
        expected = self.csrf_token(session)
        if not hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace")):
            raise PeerError(
                "cross_site", "This form is from before you signed in. Open its page again."
            )

    async def _note_use(self, record: SessionRecord) -> None:
        async with self._writing:  # or else a session that is left meanwhile would come back
            if await self._store.sessions.session(record.token_hash) is not None:
                await self._store.sessions.put_session(record)

    def _code(self, code: str) -> Code:
        known = self._codes.get(_hash(code)) if len(code) <= _MAX_SECRET_CHARS else None
        if known is None or known.used or self._clock() >= known.expires_at:
            raise PeerError(
                "sign_in_required",
                "This address was used, or is older than five minutes. `luckrig login` makes a"
                " new one.",
            )
        return known

    def _check_room(self, network: str | None) -> None:
        taken = [each for each in self._codes.values() if each.user_id not in self._operators]
        of_network = sum(each.network == network for each in taken) if network is not None else 0
        if len(taken) >= MAX_CODES or of_network >= MAX_CODES_PER_NETWORK:
            raise PeerError(
                "rate_limited",
                "Too many browsers are being signed in. Try again in five minutes.",
                retry_after_seconds=CODE_SECONDS,
            )

    def _new_secret(self) -> str:
        return b64url_encode(self._random_bytes(_SECRET_BYTES))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
