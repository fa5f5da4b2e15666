"""The pages of words: terms, privacy, compliance, about. Filled from an operator's settings.

What an operator hasn't said is said to be missing; nothing here makes a value up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote

from luckrig.protocol.reports import APPEAL_DAYS, CATEGORIES, Category
from luckrig.web.pages import Site

SOURCE_URL: Final = "https://github.com/luckrig/luckrig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever runs a tracker, in their own words. Empty: they haven't said it.

    contact: an e-mail address or an https URL. address, dmca_agent: may have several lines.
    """

    name: str = ""
    contact: str = ""
    jurisdiction: str = ""
    address: str = ""
    dmca_agent: str = ""

    @property
    def contact_url(self) -> str:
        """Where the contact leads."""
        if not self.contact or self.contact.startswith("https://"):
            return self.contact
        return f"mailto:{quote(self.contact, safe='@')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """Until when a report of a category should be decided. hours: from when it came."""

    category: Category
    hours: int

    @property
    def time(self) -> tuple[str, int]:
        """A key of the languages, and how many: days where they are whole ones and over three."""
        days, rest = divmod(self.hours, 24)
        return ("texts.days", days) if days > 3 and not rest else ("texts.hours", self.hours)


DEADLINES: Final[Sequence[Deadline]] = tuple(
    Deadline(category=category, hours=CATEGORIES[category].hours)
    for category in sorted(CATEGORIES, key=lambda category: -CATEGORIES[category].severity)
)
"""The gravest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsPage:
    """/terms: what may be done here, and what happens otherwise."""

    template: ClassVar[str] = "terms.html"
    appeal_days: ClassVar[int] = APPEAL_DAYS

    site: Site
    operator: Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyPage:
    """/privacy: who can read what, what is stored, why, how long.

    stored: the name of every table; what is said of it are the texts `stored.` of the languages.
    """

    template: ClassVar[str] = "privacy.html"

    site: Site
    operator: Operator
    stored: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompliancePage:
    """/compliance: how to report, by when it is decided, whom to write to."""

    template: ClassVar[str] = "compliance.html"
    appeal_days: ClassVar[int] = APPEAL_DAYS
    deadlines: ClassVar[Sequence[Deadline]] = DEADLINES

    site: Site
    operator: Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPage:
    """/about: what luckrig is, and which tracker this is. root_id: r1…, its root key's hash."""

    template: ClassVar[str] = "about.html"
    source_url: ClassVar[str] = SOURCE_URL

    site: Site
    operator: Operator
    root_id: str
