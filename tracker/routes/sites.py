"""What every page says of the tracker, in the language that its visitor reads."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request

from luckrig.web.languages import choose_language, load_languages
from luckrig.web.pages import LanguageLink, Site

MAX_KEPT_CHARS: Final = 1000
"""Of a path, or a query string, that the links to other languages keep."""


class Sites:
    """Makes the Site of each page. address: the tracker's, with its root id. clock: Unix seconds.

    contact: how to reach the operator, if they say.
    """

    def __init__(
        self, *, address: str, version: str, clock: Callable[[], float], contact: str = ""
    ) -> None:
        self._address = address
        self._version = version
        self._clock = clock
        self._contact = contact
        self._languages = load_languages()

    def english(self) -> Site:
        """For the feed, which has one address for everybody."""
        return self._site()

    def of(self, request: Request) -> Site:
        """For a translated page: in the language of ?lang=, else in what the browser asks for.

        Send such a page with `Vary: Accept-Language`.
        """
        asked = request.query_params.get("lang")
        codes = list(self._languages)
        code = choose_language(codes, asked=asked, accept=request.headers.get("accept-language"))
        return self._site(
            code, lang=code if code == asked else "", links=self._links(request, code)
        )

    def _links(self, request: Request, current: str) -> tuple[LanguageLink, ...]:
        # One slash only, and no backslash: "//host" would lead to another site.
        path = "/" + quote(request.scope["path"].lstrip("/"), safe="/")
        if len(path) > MAX_KEPT_CHARS:
            return ()
        kept: list[tuple[str, str]] = []
        if len(request.url.query) <= MAX_KEPT_CHARS:
            kept = [item for item in request.query_params.multi_items() if item[0] != "lang"]
        return tuple(
            LanguageLink(
                language=code,
                name=words.name,
                path=f"{path}?{urlencode([*kept, ('lang', code)])}",
                is_current=code == current,
            )
            for code, words in self._languages.items()
        )

    def _site(
        self, code: str = "en", *, lang: str = "", links: tuple[LanguageLink, ...] = ()
    ) -> Site:
        return Site(
            address=self._address,
            version=self._version,
            now=int(self._clock()),
            join_command=f"luckrig register '{self._address}'",
            words=self._languages[code],
            lang=lang,
            languages=links,
            contact=self._contact,
        )
