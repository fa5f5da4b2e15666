"""What each page shows, as frozen values. The tracker fills them; the templates only print them.

No clock and no lookups here: `now` comes in with the page, lists come in finished and in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, get_args
from urllib.parse import quote, urlencode

from luckrig.protocol.descriptor import Capability
from luckrig.web.languages import Words, english

CAPABILITIES: Final[tuple[Capability, ...]] = get_args(Capability)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLink:
    """The same page in a language. path: with ?lang=. is_current: whether this page is in it."""

    language: str
    name: str
    path: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every page says of the tracker itself.

    address: https://host#r1…, as people write it into their config. now: Unix seconds.
    join_command: what an owner types to put a rig on this map. words: the page's language.
    lang: the value of ?lang= where that chose it, else empty. languages: for the language switch;
    none for the feed. contact: how to reach the operator, if that is known.
    """

    address: str
    version: str
    now: int
    join_command: str = "luckrig register"
    words: Words = field(default_factory=english)
    lang: str = ""
    languages: Sequence[LanguageLink] = ()
    contact: str = ""

    @property
    def origin(self) -> str:
        """https://host, without the root key's id."""
        return self.address.partition("#")[0]

    def link(self, path: str, **query: str) -> str:
        """A path on this tracker that keeps the language somebody asked for."""
        asked = {name: value for name, value in query.items() if value}
        if self.lang:
            asked["lang"] = self.lang
        return with_query(path, asked)


class Page(Protocol):
    """What every page has. template: the file that prints it."""

    template: ClassVar[str]

    @property
    def site(self) -> Site:
        """Of the tracker that shows it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """Any failure, for people. code: a key of the protocol's CODES. message: that error's text.

    request_id: leads to the log line; for failures that are ours. retry_after_seconds: when it may
    work again, if that is known.
    """

    template: ClassVar[str] = "error.html"

    site: Site
    status: int
    code: str
    message: str
    request_id: str | None = None
    retry_after_seconds: int | None = None

    @property
    def kind(self) -> str:
        """Which words it has: those of `error.title` and `error.advice` in the languages."""
        special = {"node_not_found": "no_rig", "report_not_found": "no_report"}
        return special.get(self.code, str(self.status))

    @property
    def wait(self) -> tuple[str, int] | None:
        """When to try again: a key of the languages, and how many minutes or hours."""
        return wait_words(self.retry_after_seconds)


def wait_words(seconds: int | None) -> tuple[str, int] | None:
    """How long to wait: a key of the languages, and its number of minutes or hours, rounded up."""
    if seconds is None:
        return None
    minutes = max(1, -(-seconds // 60))
    if minutes < 120:
        return "error.wait_minutes", minutes
    return "error.wait_hours", -(-minutes // 60)


def node_path(node_id: str) -> str:
    """The page of a rig."""
    return f"/nodes/{quote(node_id, safe='')}"


def badge_path(node_id: str) -> str:
    """A rig's status as a picture."""
    return f"/badge/{quote(node_id, safe='')}.svg"


def taste_path(node_id: str) -> str:
    """Where a rig can be tried."""
    return f"/taste/{quote(node_id, safe='')}"


def note_path(note_id: str) -> str:
    """A tuning note with all its versions."""
    return f"/notes/{quote(note_id, safe='')}"


def descriptor_path(node_id: str) -> str:
    """A rig with its signed descriptor, as JSON."""
    return f"/api/v1/nodes/{quote(node_id, safe='')}"


def list_path(node_ids: Sequence[str]) -> str:
    """These rigs as the API lists them; empty for none, since they would be all of them."""
    return f"/api/v1/nodes?rigs={','.join(node_ids)}" if node_ids else ""


def with_query(base: str, query: Mapping[str, str]) -> str:
    """A path with its query, if there is any."""
    return f"{base}?{urlencode(query)}" if query else base
