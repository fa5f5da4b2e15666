"""Forged forms, rebound names, framed pages: every one of them is refused, and changes nothing."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

import httpx2
import pytest

from luckrig.protocol.errors import CODES
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.tracker.app import create_app
from luckrig.tracker.service.sessions import IDLE_SECONDS, SESSION_SECONDS
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.browsers import COOKIE, SAME_ORIGIN, Visitor, signed_in, visitor
from tests.tracker.factories import NOW, make_node, owner_key, seeded
from tests.tracker.trackers import KEYS, URL, Clock, FakeProber, Tracker, running_tracker

OPERATOR, OTHER = PrivateKey(b"\1" * 32), PrivateKey(b"\2" * 32)
OPERATOR_ID, OTHER_ID = (derive_id("u1", key.public) for key in (OPERATOR, OTHER))
RIG = make_node(1)
TARGET = {"target_kind": "node", "target_id": RIG.node_id, "action": "ban"}
DECISION = {
    **TARGET,
    "ground": "terms",
    "rule": "",
    "reason": "Somebody else wants it.",
    "days": "",
}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with one rig and two operators."""
    async with running_tracker(operators=frozenset({OPERATOR_ID, OTHER_ID})) as running:
        assert (await running.publish(RIG)).status_code == 200
        yield running


@pytest.fixture
async def operator(tracker: Tracker) -> Visitor:
    """The browser of an operator who is signed in: whatever is forged is sent with its cookie."""
    return await signed_in(tracker, OPERATOR, at="/operator/decide")


async def assert_nothing_changed(store: Store) -> None:
    """Nothing was decided, and the log says so too."""
    rows = await store.cases.audit(after=-1, limit=100)
    assert not [row for row in rows if b'"decided"' in row.entry]
    assert await store.cases.holding(now=NOW) == {}


@dataclass(frozen=True)
class Forgery:
    """A request that the operator's browser is made to send. csrf: whether it has the right token.

    A real attacker never has it; with it, each line shows what its own defence does alone.
    """

    headers: Mapping[str, str]
    status: int
    code: str
    csrf: bool = True
    method: str = "POST"
    path: str = "/operator/decide"
    media_type: str = FORM
    body: bytes | None = None


CROSS = Forgery(
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403, "cross_site"
)
HOST = {"host": "evil.example"}
FORGERIES = {
    "another site's form": CROSS,
    "a form of another port or subdomain": replace(CROSS, headers={"sec-fetch-site": "same-site"}),
    "an old browser's cross-site form": replace(CROSS, headers={"origin": "https://evil.example"}),
    "another port on this host, in an old browser": replace(
        CROSS, headers={"origin": f"{URL}:8080"}
    ),
    "a sandboxed frame": replace(CROSS, headers={"origin": "null"}),
    "a site whose name begins like ours": replace(CROSS, headers={"origin": f"{URL}.evil.example"}),
    "a lie in Sec-Fetch-Site": replace(CROSS, headers={"sec-fetch-site": "same-origin, none"}),
    "no token": replace(CROSS, headers=SAME_ORIGIN, csrf=False),
    "an empty token": replace(CROSS, headers=SAME_ORIGIN, csrf=False, body=b"csrf="),
    "two tokens": Forgery(SAME_ORIGIN, 400, "invalid_request", csrf=False, body=b"csrf=a&csrf=b"),
    "a token that isn't ASCII": replace(
        CROSS, headers=SAME_ORIGIN, csrf=False, body=b"csrf=%F0%9F%8D%80"
    ),
    "a rebound name": Forgery({**SAME_ORIGIN, **HOST}, 400, "invalid_request"),
    "a rebound name that says where it is from": Forgery(
        {"sec-fetch-site": "same-origin", "origin": "http://evil.example", **HOST},
        400,
        "invalid_request",
    ),
    "text/plain": Forgery(SAME_ORIGIN, 415, "unsupported_media_type", media_type="text/plain"),
    "JSON": Forgery(
        SAME_ORIGIN,
        415,
        "unsupported_media_type",
        media_type="application/json",
        body=b'{"csrf":"x"}',
    ),
    "multipart": Forgery(
        SAME_ORIGIN,
        415,
        "unsupported_media_type",
        media_type="multipart/form-data; boundary=x",
        body=b"--x\r\nContent-Disposition: form-data; name=csrf\r\n\r\nx\r\n--x--",
    ),
    "cross-site sign-out": replace(CROSS, path="/logout"),
    "a cross-site appeal": replace(CROSS, path="/me/appeals"),
    "a cross-site deletion": replace(CROSS, path="/me/delete"),
    "PUT": Forgery(SAME_ORIGIN, 405, "method_not_allowed", method="PUT"),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgeries_are_refused(tracker: Tracker, operator: Visitor, name: str) -> None:
    forged = FORGERIES[name]
    csrf = {"csrf": operator.csrf} if forged.csrf else {}
    fields = httpx2.QueryParams({**DECISION, **csrf})
    body = str(fields).encode() if forged.body is None else forged.body
    reply = await operator.http.request(
        forged.method,
        forged.path,
        content=body,
        headers={**forged.headers, "content-type": forged.media_type},
    )
    assert reply.status_code == forged.status == CODES[forged.code].status
    assert forged.code in reply.text
    await assert_nothing_changed(tracker.store)
    assert (await operator.http.get("/me")).status_code == 200, "still signed in"


async def test_the_same_request_unforged_is_taken(tracker: Tracker, operator: Visitor) -> None:
    """Or else the lines above would prove nothing."""
    assert (await operator.send("/operator/decide", **DECISION)).status_code == 303
    assert RIG.node_id in await tracker.store.cases.holding(now=tracker.clock.now)


async def test_a_token_of_another_session_is_refused(tracker: Tracker, operator: Visitor) -> None:
    for key in (OTHER, OPERATOR):
        theirs = await signed_in(tracker, key)
        assert theirs.csrf != operator.csrf
        reply = await operator.send("/operator/decide", **{**DECISION, "csrf": theirs.csrf})
        assert reply.status_code == 403
    await assert_nothing_changed(tracker.store)


async def test_an_address_that_looks_like_a_decision_decides_nothing(
    tracker: Tracker, operator: Visitor
) -> None:
    """What an image, a link or a prefetch can do."""
    query = str(httpx2.QueryParams({**DECISION, "csrf": operator.csrf}))
    for path in ("/operator/decide", "/operator", "/operator/lift", "/logout", "/me/appeals"):
        reply = await operator.http.get(f"{path}?{query}")
        assert reply.status_code in (400, 405)
    await assert_nothing_changed(tracker.store)
    assert (await operator.http.get("/me")).status_code == 200


async def test_fields_in_the_address_of_a_form_count_for_nothing(
    tracker: Tracker, operator: Visitor
) -> None:
    query = str(httpx2.QueryParams({**DECISION, "csrf": operator.csrf}))
    reply = await operator.http.post(
        f"/operator/decide?{query}", data={"csrf": ""}, headers=SAME_ORIGIN
    )
    assert reply.status_code == 403
    await assert_nothing_changed(tracker.store)


# Signing in


@pytest.mark.parametrize(
    "headers", [CROSS.headers, {"sec-fetch-site": "same-site"}, {"origin": "null"}]
)
async def test_nobody_is_signed_in_by_another_site(
    tracker: Tracker, headers: Mapping[str, str]
) -> None:
    """As whoever attacks, so that they read what is typed then."""
    browser = visitor(tracker)
    code = await browser.login_code(OTHER)
    reply = await browser.http.post("/login", data={"code": code}, headers=headers)
    assert reply.status_code == 403
    assert browser.cookie is None
    assert (await browser.http.get(f"/login/{code}")).status_code == 200, "it wasn't used up"


async def test_a_code_that_was_used_signs_nobody_in(tracker: Tracker) -> None:
    browser, thief = visitor(tracker), visitor(tracker)
    code = await browser.login_code(OPERATOR)
    for who, status in ((browser, 303), (thief, 401), (browser, 401)):
        reply = await who.http.post("/login", data={"code": code}, headers=SAME_ORIGIN)
        assert reply.status_code == status
    assert (await thief.http.get(f"/login/{code}")).status_code == 401
    assert thief.cookie is None


@pytest.mark.parametrize("code", ["", "x", "a" * 43, "a" * 5000, "\N{FOUR LEAF CLOVER}"])
async def test_guessed_codes_sign_nobody_in(tracker: Tracker, code: str) -> None:
    browser = visitor(tracker)
    reply = await browser.http.post("/login", data={"code": code}, headers=SAME_ORIGIN)
    assert reply.status_code == 401
    assert browser.cookie is None


async def test_a_cookie_that_somebody_chose_is_never_adopted(tracker: Tracker) -> None:
    """Session fixation: planted before the sign-in, worth nothing after it."""
    planted = "chosen-by-the-attacker-chosen-by-the-attack"
    browser = visitor(tracker)
    code = await browser.login_code(OPERATOR)
    reply = await browser.http.post(
        "/login", data={"code": code}, headers={**SAME_ORIGIN, "cookie": f"{COOKIE}={planted}"}
    )
    assert reply.status_code == 303
    assert browser.cookie not in (None, planted)
    stolen = await tracker.http.get("/operator", headers={"cookie": f"{COOKIE}={planted}"})
    assert stolen.status_code == 401


async def test_the_cookie_is_for_this_site_and_no_script(tracker: Tracker) -> None:
    reply = await visitor(tracker).sign_in(OPERATOR)
    name, *attributes = [part.strip().lower() for part in reply.headers["set-cookie"].split(";")]
    assert name.startswith(f"{COOKIE}=")
    assert set(attributes) == {
        "httponly", "samesite=strict", "path=/", f"max-age={SESSION_SECONDS}",
    }  # fmt: skip


async def test_on_https_no_other_host_and_no_plain_http_can_set_the_cookie() -> None:
    store, url = MemoryStore(), "https://tracker.example"
    app = create_app(
        TrackerSettings(public_url=url, operators=frozenset({OPERATOR_ID})),
        store,
        KEYS,
        FakeProber(),
        clock=Clock(),
        random_bytes=seeded(1).randbytes,
        rng=seeded(2),
        version="1.2.3",
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=url) as http:
        proof = make_proof(
            key=OPERATOR,
            method="POST",
            url=f"{url}/api/v1/sessions",
            body=b"",
            now=NOW,
            jti="proof-0000000000000001",
        )
        asked = await http.post(
            "/api/v1/sessions", headers={"DPoP": proof, "content-type": "application/json"}
        )
        code = asked.json()["url"].removeprefix(f"{url}/login/")
        reply = await http.post(
            "/login", data={"code": code}, headers={"sec-fetch-site": "same-origin"}
        )
        name, *attributes = [part.strip() for part in reply.headers["set-cookie"].split(";")]
        assert name.startswith("__Host-luckrig=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(attributes)
        assert not any(part.lower().startswith("domain") for part in attributes)
        value = name.partition("=")[2]
        http.cookies.clear()
        for cookie, status in (("luckrig", 401), ("__Host-luckrig", 200)):
            shown = await http.get("/operator", headers={"cookie": f"{cookie}={value}"})
            assert shown.status_code == status


# Sessions that are over


async def test_an_operator_who_left_the_settings_is_refused_while_the_session_lives(
    tracker: Tracker, operator: Visitor
) -> None:
    async with running_tracker(tracker.store, operators=frozenset({OTHER_ID})) as restarted:
        late = visitor(restarted)
        late.http.cookies.set(COOKIE, operator.cookie or "")
        assert (await late.http.get("/me")).status_code == 200
        for path in ("/operator", "/operator/audit", "/operator/decide", "/operator/cases/x"):
            assert (await late.http.get(path)).status_code == 403
        late.csrf = operator.csrf
        assert (await late.send("/operator/decide", **DECISION)).status_code == 403
    await assert_nothing_changed(tracker.store)


@pytest.mark.parametrize("seconds", [IDLE_SECONDS, SESSION_SECONDS])
async def test_a_session_that_is_over_decides_nothing(
    tracker: Tracker, operator: Visitor, seconds: int
) -> None:
    tracker.clock.now += seconds
    assert (await operator.http.get("/operator")).status_code == 401
    assert (await operator.send("/operator/decide", **DECISION)).status_code == 401
    await assert_nothing_changed(tracker.store)


async def test_a_session_that_was_left_decides_nothing(tracker: Tracker, operator: Visitor) -> None:
    cookie = operator.cookie or ""
    assert (await operator.send("/logout")).status_code == 303
    operator.http.cookies.set(COOKIE, cookie)
    assert (await operator.http.get("/operator")).status_code == 401
    assert (await operator.send("/operator/decide", **DECISION)).status_code == 401
    await assert_nothing_changed(tracker.store)


async def test_who_is_no_operator_sees_and_decides_nothing(tracker: Tracker) -> None:
    owner = await signed_in(tracker, owner_key(1))
    for path in ("/operator", "/operator/audit", "/operator/decide", "/operator/cases/x"):
        reply = await owner.http.get(path)
        assert reply.status_code == 403
        assert "operators_only" in reply.text
    assert (await owner.send("/operator/decide", **DECISION)).status_code == 403
    await assert_nothing_changed(tracker.store)


# Framing


async def test_nothing_can_be_framed(tracker: Tracker, operator: Visitor) -> None:
    """Every page, for visitors and for the signed in, and every way it can fail."""
    code = await operator.login_code(OTHER)
    paths = [
        "/", f"/nodes/{RIG.node_id}", "/nodes/nothing", "/nothing", "/?limit=nonsense",
        f"/login/{code}", "/login/used", "/login", "/logout", "/me", "/me/appeals",
        "/operator", "/operator?appealed=1", "/operator/audit", "/operator/decide",
        "/operator/lift", "/operator/cases/unknown", "/operator?after=unknown", "/health",
        "/api/v1/nodes", "/api/v1/nothing", "/api/openapi.json", "/static/nothing.css",
    ]  # fmt: skip
    for http in (tracker.http, operator.http):
        for path in paths:
            for method in ("GET", "POST"):
                reply = await http.request(method, path)
                assert "frame-ancestors 'none'" in reply.headers["content-security-policy"], path
                assert reply.headers["x-frame-options"] == "DENY"
                assert reply.status_code < 500
    foreign = await tracker.http.get("/", headers=HOST)
    assert foreign.headers["x-frame-options"] == "DENY"
