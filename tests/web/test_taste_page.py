"""/taste/{id} before any script runs: whole, honest, in two languages, deaf to hostile names."""

import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from luckrig.protocol.wire import NodeView
from luckrig.web.assets import static_files
from luckrig.web.foreign import clean
from luckrig.web.formats import STATUSES
from luckrig.web.headers import CONTENT_SECURITY_POLICY, content_security_policy
from luckrig.web.languages import load_languages
from luckrig.web.pages import Site
from luckrig.web.render import make_renderer
from luckrig.web.rig_page import RigPage
from luckrig.web.taste_page import TastePage
from tests.web.documents import read
from tests.web.hostile import HOSTILE
from tests.web.report_samples import site_in
from tests.web.rigs import EMBEDS, SITE, make_rig, offer, twelve_rigs

FILES = static_files()
RENDERER = make_renderer(FILES)
LANGUAGES = list(load_languages())


def relayed(rig: NodeView) -> NodeView:
    """The same rig behind the tracker's relay."""
    return msgspec.structs.replace(rig, base_url=f"{SITE.origin}/n/{rig.id}/v1")


def hostile_rig(text: str) -> NodeView:
    return relayed(
        make_rig(
            text, gpu=text, vram_gb=24, cpu=text, note=text, offers=[offer(text, text, 1, text, 9)]
        )
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_stays_text(language: str, text: str) -> None:
    html = RENDERER.render(TastePage(site=site_in(language), node=hostile_rig(text)))
    document = read(html)
    assert document.problems == []
    assert document.all("img") == document.all("iframe") == document.all("style") == []
    assert [each.get("type") for each in document.all("script")] == ["module", "module"]
    assert not [
        name for each in document.elements for name in each.attributes if name.startswith("on")
    ]
    (console,) = [each for each in document.elements if each.get("id") == "console"]
    assert console.get("data-name") == clean(text)
    (model,) = document.all("option")
    assert (model.get("value"), model.text) == (clean(text), clean(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_prompt_has_the_sentence_beside_it(language: str) -> None:
    """Who reads it: in the caveat, above the prompt, and above the snippets."""
    words = load_languages()[language]
    for rig in twelve_rigs():
        for node in (rig, relayed(rig)):
            html = RENDERER.render(TastePage(site=site_in(language), node=node))
            document = read(html)
            assert document.problems == []
            assert document.elements[0].get("lang") == language
            sentences = [each.text for each in document.of_class("reads")]
            assert len(sentences) == 1 + len(
                [x for x in document.elements if x.get("id") == "form"]
            )
            assert set(sentences) == {str(words("taste.readable"))}
            ids = [each.get("id") for each in document.having("id")]
            assert len(ids) == len(set(ids))
            for attribute in ("aria-labelledby", "aria-describedby", "for", "data-copy"):
                assert {each.get(attribute) for each in document.having(attribute)} <= set(ids)


HTTP_SITE = replace(SITE, address=SITE.address.replace(SITE.origin, "http://attic.lan:8787"))


def rig_at(origin: str, **changes: Any) -> NodeView:
    """A rig with an address of its own."""
    return msgspec.structs.replace(twelve_rigs()[0], base_url=f"{origin}/v1", **changes)


def connect_sources(page: TastePage) -> list[str]:
    """Whom the page's scripts may ask."""
    (directive,) = [each for each in page.policy.split("; ") if each.startswith("connect-src ")]
    # Nothing but that directive differs from other pages, whatever the address is.
    assert page.policy.replace(directive, "connect-src 'self'") == CONTENT_SECURITY_POLICY
    return directive.split(" ")[1:]


@pytest.mark.parametrize(
    ("site", "origin", "allowed"),
    [
        (SITE, "https://rig.example", "https://rig.example"),
        (SITE, "https://RIG.example:443", "https://rig.example"),
        (SITE, "https://rig.example:8443", "https://rig.example:8443"),
        (SITE, "https://203.0.113.7:8443", "https://203.0.113.7:8443"),
        (SITE, "http://127.0.0.1:8788", "http://127.0.0.1:8788"),
        (SITE, "http://localhost:8788", "http://localhost:8788"),
        (HTTP_SITE, "http://rig.lan:8788", "http://rig.lan:8788"),
    ],
)
def test_console_of_a_direct_rig_may_ask_that_rig_and_nobody_else(
    site: Site, origin: str, allowed: str
) -> None:
    page = TastePage(site=site, node=rig_at(origin))
    assert page.way == "direct"
    assert connect_sources(page) == ["'self'", allowed]
    html = RENDERER.render(page)
    assert 'id="console"' in html
    assert "sees the network address" in html
    plain_http = origin.startswith("http:")
    assert ("Every network on the way" in html) == plain_http
    assert connect_sources(TastePage(site=SITE, node=relayed(rig_at(origin)))) == ["'self'"]


@pytest.mark.parametrize(
    ("rig", "way", "said"),
    [
        (rig_at("https://rig.example", last_seen_at=None), "unproven", "seen this rig answer"),
        (rig_at("https://rig.example", status="unknown"), "unproven", "seen this rig answer"),
        (rig_at("http://rig.lan:8788"), "mixed", "over plain http, and this page"),
        (rig_at("http://127.0.0.1.evil.test"), "mixed", "over plain http"),
        (rig_at("https://[2001:db8::1]:8443"), "numbered", "IPv6"),
        (rig_at("https://other.example/n/n1abc"), "elsewhere", "isn’t one"),
    ],
)
def test_where_a_page_cannot_ask_it_says_why(rig: NodeView, way: str, said: str) -> None:
    page = TastePage(site=SITE, node=rig)
    assert page.way == way
    assert page.policy == CONTENT_SECURITY_POLICY
    html = RENDERER.render(page)
    assert said in html
    assert 'id="console"' not in html
    assert "taste/main.js" not in "".join(FILES[url].name for url in _scripts(html))
    for command in ("luckrig connect --subtext --tracker", "luckrig chat", "curl -N"):
        assert command in html


HEADER_INJECTIONS = (
    "https://a.test; script-src *", "https://a.test 'unsafe-inline'", "https://a.test,https://b.test",
    "https://*.test", "https://*", "*", "https:", "data:", "https://a.test\r\nSet-Cookie: a=b",
    "https://a.test\n", "https://a.test/", "https://a.test/;x", "https://a.test?;", "https://a.test#",
    "https://user@a.test", "https://a.test:*", "https://a.test:0", "https://a.test:99999",
    "https://a\u3002test", "https://'none'", "'self'", "wss://a.test", "https://a.test\t*",
    "https://[::1]; x", "https://a.test%3b", "https://a.test\x00",
)  # fmt: skip


@pytest.mark.parametrize("text", HEADER_INJECTIONS)
def test_nothing_but_one_origin_gets_into_a_policy(text: str) -> None:
    page = TastePage(site=SITE, node=rig_at(text))
    assert page.policy == CONTENT_SECURITY_POLICY
    assert not page.has_console
    with pytest.raises(ValueError, match=r"origin|IPv6"):
        content_security_policy(connect_to=text)


@pytest.mark.parametrize(
    ("tracker", "command", "address"),
    [
        ("http://attic.lan:8787", "ssh -L 8787:attic.lan:8787 attic.lan", "localhost:8787"),
        ("http://attic.lan", "ssh -L 8080:attic.lan:80 attic.lan", "localhost:8080"),
        ("http://192.168.1.5:81", "ssh -L 8080:192.168.1.5:81 192.168.1.5", "localhost:8080"),
        ("http://[fd00::5]:8787", "ssh -L '8787:[fd00::5]:8787' fd00::5", "localhost:8787"),
        ("https://luckrig.example", "", ""),
        ("http://127.0.0.1:8787", "", ""),
        ("http://localhost:8787", "", ""),
    ],
)
def test_a_tracker_without_https_can_be_brought_to_ones_own_machine(
    tracker: str, command: str, address: str
) -> None:
    site = replace(SITE, address=SITE.address.replace(SITE.origin, tracker))
    rig = rig_at(f"{tracker}/n/{twelve_rigs()[0].id}")
    forward = TastePage(site=site, node=rig).forward
    if not command:
        assert forward is None
        return
    assert forward is not None
    assert forward.command == command
    assert forward.address == f"http://{address}/taste/{rig.id}"
    assert TastePage(site=site, node=rig_at("http://rig.lan")).forward is None


def test_a_rig_without_chat_has_no_console_but_says_why() -> None:
    embeds = make_rig("e", gpu=None, vram_gb=None, offers=[offer("bge", None, 1, None, 9, EMBEDS)])
    html = RENDERER.render(TastePage(site=SITE, node=relayed(embeds)))
    assert "No model on this rig chats" in html
    assert 'id="console"' not in html
    direct = TastePage(site=SITE, node=embeds)
    assert direct.policy == CONTENT_SECURITY_POLICY


def _scripts(html: str) -> list[str]:
    return re.findall(r'<script type="module" src="([^"]+)"', html)


def test_scripts_get_every_word_and_only_ask_for_those() -> None:
    html = RENDERER.render(TastePage(site=SITE, node=relayed(twelve_rigs()[0])))
    given = {each.get("data-word") for each in read(html).all("li") if each.get("data-word")}
    code = "".join(
        file.content.decode() for file in FILES.values() if file.name.startswith("taste/")
    )
    asked = set(re.findall(r'\bsay\(\s*"([a-z_]+)"', code))
    assert asked <= given
    for name in given:
        assert f'"{name}"' in code or name.startswith(("finish_", "outcome_", "said_")), name


@pytest.mark.parametrize("status", STATUSES)
def test_rigs_page_leads_there_while_it_is_of_use(status: str) -> None:
    rig = msgspec.structs.replace(twelve_rigs()[0], status=status)
    answers = status in ("available", "busy")
    mixed = msgspec.structs.replace(rig, base_url="http://rig.lan/v1")
    for node, can_ask in ((rig, answers), (relayed(rig), answers), (mixed, False)):
        page = RigPage(site=SITE, node=node, signed_at=SITE.now)
        assert (f'href="/taste/{rig.id}"' in RENDERER.render(page)) == can_ask
    for language in LANGUAGES:
        site = replace(SITE, words=load_languages()[language])
        assert RENDERER.render(TastePage(site=site, node=relayed(rig)))
