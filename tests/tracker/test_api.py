"""The tracker's HTTP surface: what it answers, and what it refuses."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import httpx2
import pytest

from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.errors import CODES
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import verify_keyset
from luckrig.protocol.tokens import OWNER_PRIORITY, verify
from tests.tracker.factories import (
    make_hardware,
    make_health,
    make_node,
    make_offer,
    node_key,
    owner_key,
)
from tests.tracker.trackers import KEYS, URL, Tracker, running_tracker

USER = PrivateKey(b"a user who wants to try this rig"[:32])
RIG = make_node(1)
ASK = json.dumps({"node_id": RIG.node_id}).encode()


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker that lists one rig."""
    async with running_tracker() as running:
        assert (await running.publish(RIG)).status_code == 200
        yield running


def error_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of an error; every error has OpenAI's shape and a known code."""
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert CODES[error["code"]].status == response.status_code
    return response.status_code, error["code"]


async def test_published_rig_is_listed_with_what_scripts_rely_on(tracker: Tracker) -> None:
    page = (await tracker.http.get("/api/v1/nodes")).json()
    assert page["total"] == 1
    (node,) = page["nodes"]
    promised = {"id", "name", "status", "scarcity", "hardware", "offers", "note", "last_seen_at"}
    assert promised <= set(node)
    assert {"gpu", "vram_bytes", "cpu", "ram_bytes"} <= set(node["hardware"])
    offer = {"model", "family", "parameters", "quantization", "context_length"}
    assert offer <= set(node["offers"][0])
    assert node["id"] == RIG.node_id
    assert node["status"] == "available"
    assert 0 <= node["scarcity"] <= 1


async def test_rig_is_shown_with_the_bytes_it_signed(tracker: Tracker) -> None:
    response = await tracker.http.get(f"/api/v1/nodes/{RIG.node_id}")
    assert response.json()["descriptor"] == json.loads(RIG.signed)


async def test_nobody_can_overwrite_a_rig_without_its_key(tracker: Tracker) -> None:
    """Signed by another node and its owner, with the first rig's id written into the payload."""
    other = make_node(2)
    document = json.loads(other.signed)
    document["payload"] = json.loads(RIG.signed)["payload"]
    response = await tracker.http.post(
        "/api/v1/nodes",
        content=json.dumps(document),
        headers={"content-type": "application/json"},
    )
    assert error_of(response) == (401, "signature_invalid")
    shown = await tracker.http.get(f"/api/v1/nodes/{RIG.node_id}")
    assert shown.json()["descriptor"] == json.loads(RIG.signed)


async def test_older_or_equal_seq_is_refused(tracker: Tracker) -> None:
    assert (await tracker.publish(make_node(1, seq=5, name="renamed"))).status_code == 200
    for stale in (make_node(1, seq=4, name="older"), make_node(1, seq=5, name="other")):
        assert error_of(await tracker.publish(stale)) == (409, "descriptor_conflict")
    assert (await tracker.publish(make_node(1, seq=5, name="renamed"))).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"content-type": "text/plain"}, b"{}", (415, "unsupported_media_type")),
        (
            {"content-type": "application/json", "content-encoding": "gzip"},
            b"{}",
            (415, "unsupported_media_type"),
        ),
        ({"content-type": "application/json"}, b"", (400, "invalid_json")),
        ({"content-type": "application/json"}, b"[" * 100_000, (413, "body_too_large")),
        ({"content-type": "application/json"}, b"[" * 60_000, (400, "invalid_json")),
        ({"content-type": "application/json"}, b"{}", (400, "invalid_request")),
        ({"content-type": "application/json"}, b"\xff", (400, "invalid_json")),
    ],
)
async def test_bodies_that_are_no_descriptor_are_refused(
    tracker: Tracker, headers: dict[str, str], body: bytes, expected: tuple[int, str]
) -> None:
    response = await tracker.http.post("/api/v1/nodes", content=body, headers=headers)
    assert error_of(response) == expected


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://rig.example",
        "https://127.0.0.1",
        "https://127.1",
        "https://0x7f.1",
        "https://10.0.0.8",
        "https://169.254.169.254",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[2002:7f00:1::]",
        "https://localhost",
        "https://rig.example:22",
    ],
)
async def test_public_tracker_lists_no_private_endpoint(tracker: Tracker, endpoint: str) -> None:
    response = await tracker.publish(make_node(3, endpoints=[endpoint]))
    assert error_of(response) == (400, "invalid_request")
    async with running_tracker(allow_private_endpoints=True) as private:
        assert (await private.publish(make_node(3, endpoints=[endpoint]))).status_code == 200


# Tokens


async def test_token_is_signed_for_the_user_and_the_rig(tracker: Tracker) -> None:
    reply = (await tracker.ask_token(ASK, key=USER)).json()
    keyset = (await tracker.http.get("/api/v1/keyset")).json()
    keys = verify_keyset(
        keyset["keyset"], root_id=KEYS.root_id, min_seq=0, now=tracker.clock.now
    ).by_kid()
    claims = verify(
        reply["token"],
        keys=keys,
        issuer=KEYS.root_id,
        audience=RIG.node_id,
        now=tracker.clock.now,
    )
    assert claims.tier == "limited"
    assert reply["expires_at"] == claims.exp == tracker.clock.now + 900
    assert reply["base_url"] == "https://rig1.example/v1"
    assert reply["models"] == ["qwen3:8b"]


async def test_bound_token_names_the_key_and_lives_longer(tracker: Tracker) -> None:
    body = ASK[:-1] + b', "bound": true}'
    reply = (await tracker.ask_token(body, key=USER)).json()
    claims = _claims(reply["token"])
    assert claims["cnf"] == {"jkt": USER.public.thumbprint}
    assert claims["exp"] - claims["iat"] == 3600
    assert reply["token_type"] == "DPoP"


async def test_two_rigs_cannot_tell_that_they_share_a_user(tracker: Tracker) -> None:
    await tracker.publish(make_node(2))
    subs = set[str]()
    for node in (RIG, RIG, make_node(2)):
        body = json.dumps({"node_id": node.node_id}).encode()
        token = (await tracker.ask_token(body, key=USER)).json()["token"]
        subs.add(_claims(token)["sub"])
    assert len(subs) == 2


async def test_the_users_key_decides_who_asks(tracker: Tracker) -> None:
    subs = {
        _claims((await tracker.ask_token(ASK, key=key)).json()["token"])["sub"]
        for key in (USER, owner_key(1), node_key(1))
    }
    assert len(subs) == 3


async def test_proof_works_once(tracker: Tracker) -> None:
    first = await tracker.ask_token(ASK, key=USER)
    proof = first.request.headers["dpop"]
    again = await tracker.ask_token(ASK, key=USER, proof=proof)
    assert error_of(again) == (401, "proof_invalid")


async def test_old_proof_and_proof_of_another_body_are_refused(tracker: Tracker) -> None:
    proof = (await tracker.ask_token(ASK, key=USER)).request.headers["dpop"]
    tracker.clock.now += 61
    assert error_of(await tracker.ask_token(ASK, key=USER, proof=proof)) == (401, "proof_invalid")
    other = json.dumps({"node_id": RIG.node_id, "ttl_seconds": 60}).encode()
    tracker.clock.now -= 61
    assert error_of(await tracker.ask_token(other, key=USER, proof=proof)) == (401, "proof_invalid")


async def test_request_without_proof_is_refused(tracker: Tracker) -> None:
    response = await tracker.http.post(
        "/api/v1/tokens", content=ASK, headers={"content-type": "application/json"}
    )
    assert error_of(response) == (401, "proof_invalid")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"node_id": "n1' + b"a" * 32 + b'"}', (404, "node_not_found")),
        (b'{"node_id": "me"}', (400, "invalid_request")),
        (b'{"node_id": 1}', (400, "invalid_request")),
        (b"{}", (400, "invalid_request")),
        (ASK[:-1] + b', "tier": "contributor"}', (400, "invalid_request")),
        (ASK[:-1] + b', "user_id": "u1"}', (400, "invalid_request")),
        (ASK[:-1] + b', "ttl_seconds": 901}', (400, "invalid_request")),
        (ASK[:-1] + b', "ttl_seconds": 60, "ttl_seconds": 61}', (400, "invalid_json")),
    ],
)
async def test_claims_of_the_client_are_refused(
    tracker: Tracker, body: bytes, expected: tuple[int, str]
) -> None:
    """Nothing about tier, identity or lifetime is taken on trust."""
    assert error_of(await tracker.ask_token(body, key=USER)) == expected


async def test_tokens_are_rationed_by_the_hour(tracker: Tracker) -> None:
    async with running_tracker(tokens_per_hour=2) as strict:
        await strict.publish(RIG)
        for _ in range(2):
            assert (await strict.ask_token(ASK, key=USER)).status_code == 200
        refused = await strict.ask_token(ASK, key=USER)
        assert error_of(refused) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) > 0
        strict.clock.now += 3601
        assert (await strict.ask_token(ASK, key=USER)).status_code == 200


async def test_no_token_for_a_rig_that_has_not_proven_its_endpoint(tracker: Tracker) -> None:
    """Neither before the first look, nor after it moved to another endpoint."""
    ask = json.dumps({"node_id": make_node(2).node_id}).encode()
    await tracker.publish(make_node(2), is_seen=False)
    assert error_of(await tracker.ask_token(ask, key=USER)) == (409, "node_offline")
    moved = make_node(1, seq=2, endpoints=["https://elsewhere.example"])
    await tracker.publish(moved, is_seen=False)
    refused = await tracker.ask_token(ASK, key=USER)
    assert error_of(refused) == (409, "node_offline")
    assert int(refused.headers["retry-after"]) > 0


async def test_no_token_for_a_rig_that_is_off(tracker: Tracker) -> None:
    await tracker.store.put_health({RIG.node_id: make_health("unavailable")})
    assert error_of(await tracker.ask_token(ASK, key=USER)) == (409, "node_offline")


async def test_a_paused_rig_has_tokens_for_its_owner_alone(tracker: Tracker) -> None:
    paused = replace(make_health("paused"), opens_at=int(tracker.clock.now) + 60)
    await tracker.store.put_health({RIG.node_id: paused})
    assert error_of(await tracker.ask_token(ASK, key=USER)) == (409, "node_offline")
    own = await tracker.ask_token(ASK, key=owner_key(1))
    assert own.status_code == 200
    assert own.json()["limits"]["priority"] == OWNER_PRIORITY


async def test_the_map_says_when_a_paused_rig_opens(tracker: Tracker) -> None:
    opens_at = int(tracker.clock.now) + 60
    paused = replace(make_health("paused"), opens_at=opens_at)
    await tracker.store.put_health({RIG.node_id: paused})
    (node,) = (await tracker.http.get("/api/v1/nodes")).json()["nodes"]
    assert (node["status"], node["opens_at"]) == ("paused", opens_at)
    page = (await tracker.http.get("/")).text
    assert f'data-opens="{opens_at}"' in page


# Lists, pages, the rest


async def test_list_is_filtered_and_paged(tracker: Tracker) -> None:
    await tracker.publish(make_node(2, hardware=make_hardware("NVIDIA GeForce RTX 5090")))
    await tracker.publish(make_node(3, offers=[make_offer("llama3:70b", quantization="Q8_0")]))
    for query, expected in (
        ("gpu=rtx5090", 1),
        ("quant=q8_0", 1),
        ("q=rig", 3),
        ("min_vram=24", 3),
        ("min_vram=26", 0),
        (f"rigs={RIG.node_id}", 1),
        (f"rigs={RIG.node_id},{make_node(3).node_id},{make_node(9).node_id}", 2),
    ):
        assert (await tracker.http.get(f"/api/v1/nodes?{query}")).json()["total"] == expected
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = (await tracker.http.get(f"/api/v1/nodes?limit=1&after={after}")).json()
        seen += [node["id"] for node in page["nodes"]]
        after = page["next"] or ""
    assert len(set(seen)) == 3
    assert after == ""


@pytest.mark.parametrize(
    "query",
    ["sort=speed", "limit=0", "limit=201", "limit=x", "after=garbage", "status=on", "nope=1",
     "min_vram=-1", "min_context=99999999999999999999", "gpu=" + "x" * 500, "q=a&q=b", "rigs=rig",
     f"rigs={RIG.node_id},", "rigs=" + ",".join([RIG.node_id] * 51)],
)  # fmt: skip
async def test_wrong_queries_are_refused(tracker: Tracker, query: str) -> None:
    assert error_of(await tracker.http.get(f"/api/v1/nodes?{query}")) == (400, "invalid_request")
    page = await tracker.http.get(f"/?{query}")
    assert page.status_code == 400
    assert page.headers["content-type"].startswith("text/html")


async def test_unchanged_list_is_not_sent_again(tracker: Tracker) -> None:
    first = await tracker.http.get("/api/v1/nodes")
    again = await tracker.http.get(
        "/api/v1/nodes", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_pages_are_served_with_a_strict_policy(tracker: Tracker) -> None:
    for path in ("/", "/?view=table", f"/nodes/{RIG.node_id}", f"/taste/{RIG.node_id}"):
        page = await tracker.http.get(path)
        assert page.status_code == 200
        assert "rig 1" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for link in _assets(page.text):
            assert (await tracker.http.get(link)).status_code == 200


async def test_the_player_of_replays_is_a_page_in_two_languages(tracker: Tracker) -> None:
    for language, words in (
        ("en", "Nothing on this page is sent"),
        ("ja", "どこにも何も送りません"),
    ):
        page = await tracker.http.get("/replays", headers={"accept-language": language})
        assert page.status_code == 200
        assert page.headers["vary"] == "Accept-Language"
        assert words in page.text
        for link in _assets(page.text):
            assert (await tracker.http.get(link)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/nope", "/nodes/nope", "/nodes/n1" + "a" * 32, "/taste/nope", "/static/nope"]
)
async def test_missing_pages_say_so_in_html(tracker: Tracker, path: str) -> None:
    page = await tracker.http.get(path)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/api/v1/nope", "/api/v1/nodes/nope", "/api/v1/nodes/n1"])
async def test_missing_api_paths_say_so_in_json(tracker: Tracker, path: str) -> None:
    assert error_of(await tracker.http.get(path))[0] == 404


async def test_wrong_method_is_refused(tracker: Tracker) -> None:
    assert error_of(await tracker.http.delete("/api/v1/nodes")) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "tracker.example:80",
        "",
        "tracker.example.",
        "localhost",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:8787",
        "localhost.evil.example:8080",
        "[::1]:8080",
    ],
)
async def test_other_hosts_are_refused(tracker: Tracker, host: str) -> None:
    """DNS rebinding: a page of another name must not reach the tracker."""
    response = await tracker.http.get("/health", headers={"host": host})
    assert error_of(response) == (400, "invalid_request")


async def test_a_tracker_without_https_can_be_reached_through_a_forwarded_port(
    tracker: Tracker,
) -> None:
    """Browsers lend their cryptography to pages of their own machine; no name of it rebinds."""
    for host in ("localhost:8080", "127.0.0.1:8080"):
        page = await tracker.http.get(f"/taste/{RIG.node_id}", headers={"host": host})
        assert page.status_code == 200
        assert host not in page.text  # all links name the tracker as it calls itself


async def test_policy_of_a_rigs_console_and_queue_names_it_alone(tracker: Tracker) -> None:
    """And only once the tracker has seen it answer there; every other page names nobody."""
    hidden = make_node(2)
    assert (await tracker.publish(hidden, is_seen=False)).status_code == 200
    asked = {
        f"/taste/{RIG.node_id}": "connect-src 'self' https://rig1.example;",
        f"/taste/{hidden.node_id}": "connect-src 'self';",
        f"/queue?rig={RIG.node_id}": "connect-src 'self' https://rig1.example;",
        f"/queue?rig={hidden.node_id}": "connect-src 'self';",
        f"/queue?rig={make_node(3).node_id}": "connect-src 'self';",
        "/queue?rig=https://rig1.example": "connect-src 'self';",
        "/queue": "connect-src 'self';",
        f"/nodes/{RIG.node_id}": "connect-src 'self';",
        "/": "connect-src 'self';",
    }
    for path, expected in asked.items():
        page = await tracker.http.get(path)
        assert expected in page.headers["content-security-policy"], path
        assert len(page.headers.get_list("content-security-policy")) == 1
    assert f'href="/taste/{RIG.node_id}"' in (await tracker.http.get(f"/nodes/{RIG.node_id}")).text


async def test_health_counts_rigs(tracker: Tracker) -> None:
    health = (await tracker.http.get("/health")).json()
    assert health == {
        "status": "ok",
        "version": "1.2.3",
        "root_id": KEYS.root_id,
        "nodes": 1,
        "available": 1,
    }


async def test_openapi_document_describes_what_is_served(tracker: Tracker) -> None:
    document = (await tracker.http.get("/api/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": URL}]
    served = {
        ("get", "/api/v1/nodes"),
        ("post", "/api/v1/nodes"),
        ("get", "/api/v1/nodes/{node_id}"),
        ("post", "/api/v1/tokens"),
        ("get", "/api/v1/keyset"),
        ("get", "/api/v1/revocations/{node_id}"),
        ("get", "/api/v1/admin/audit"),
        ("get", "/api/v1/admin/cases"),
        ("get", "/api/v1/admin/cases/{case_id}"),
        ("post", "/api/v1/admin/answers"),
        ("post", "/api/v1/admin/decisions"),
        ("post", "/api/v1/admin/holds"),
        ("post", "/api/v1/admin/lift"),
        ("post", "/api/v1/admin/undo"),
        ("get", "/api/v1/me/decisions"),
        ("post", "/api/v1/me/appeals"),
        ("get", "/api/v1/me/export"),
        ("post", "/api/v1/me/erase"),
        ("post", "/api/v1/reports"),
        ("post", "/api/v1/sessions"),
        ("get", "/api/v1/reports/{ticket}"),
        ("post", "/api/v1/reports/{ticket}/appeals"),
        ("get", "/api/v1/log"),
        ("get", "/api/v1/ledger"),
        ("get", "/api/v1/me/score"),
        ("get", "/api/v1/timings"),
        ("get", "/api/v1/events"),
        ("get", "/api/v1/timings.csv"),
        ("get", "/api/v1/nodes.csv"),
        ("get", "/api/v1/nodes.json"),
        ("get", "/feed.atom"),
        ("get", "/badge/{node_id}.svg"),
        ("post", "/api/v1/receipts"),
        ("post", "/api/v1/admin/anchors"),
        ("get", "/api/v1/registration"),
        ("post", "/api/v1/registration"),
        ("post", "/api/v1/handover"),
        ("post", "/api/v1/admin/invites"),
        ("get", "/health"),
        ("get", "/transparency.json"),
        ("get", "/api/v1/showcase"),
        ("get", "/api/v1/notes"),
        ("post", "/api/v1/notes"),
        ("get", "/api/v1/notes/{note_id}"),
        ("post", "/api/v1/notes/{note_id}/reproduced"),
    }
    assert {(m, path) for path, methods in document["paths"].items() for m in methods} == served
    _check_references(document, document["components"]["schemas"])


def _check_references(value: object, schemas: dict[str, Any]) -> None:
    if isinstance(value, dict):
        parts = cast("dict[str, object]", value)
        if "$ref" in parts:
            assert str(parts["$ref"]).removeprefix("#/components/schemas/") in schemas
        for part in parts.values():
            _check_references(part, schemas)
    elif isinstance(value, list):
        for part in cast("list[object]", value):
            _check_references(part, schemas)


def _claims(token: str) -> dict[str, Any]:
    return dict(json.loads(b64url_decode(token.split(".")[1])))


def _assets(html: str) -> list[str]:
    return ["/static/" + part.split('"')[0] for part in html.split('"/static/')[1:]]
