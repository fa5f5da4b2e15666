"""Nobody can turn a tracker's probes on its own network: every known way, and 0 connections.

Each attack is tried as a whole, publish and probe, with a real prober on a public tracker's
settings. A canary listens on loopback at the port that the attack names; it must stay alone.
"""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from luckrig.protocol.descriptor import verify_descriptor
from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.endpoints import check_listable, is_public_address
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.probe import SystemResolver
from tests.tracker.doors import (
    LOOPBACK,
    Door,
    http_answer,
    open_door,
    probing,
    problem_of,
    rig_at,
    says,
)
from tests.tracker.factories import make_node
from tests.tracker.trackers import Clock, healthy

PUBLIC = "93.184.216.34"

REFUSED_HOSTS = [
    # this machine
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "0.1.2.3", "[::1]", "[::]",  # noqa: S104
    "[0:0:0:0:0:0:0:1]", "localhost", "LOCALHOST", "localhost.", "x.localhost",
    "localhost.localdomain",
    # private networks, link-local, CGNAT, metadata services
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200",
    "100.127.255.255", "168.63.129.16", "192.0.0.192", "[fd00:ec2::254]", "[fe80::1]",
    "[fc00::1]", "[fdff::1]", "[fec0::1]", "metadata.google.internal", "instance-data.ec2.internal",
    # documentation, benchmarks, multicast, reserved, broadcast, sinks and relays
    "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1", "192.31.196.1",
    "192.52.193.1", "192.175.48.1", "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[3fff::1]",
    "[100::1]", "[2620:4f:8000::1]", "[5f00::1]",
    # IPv4 inside IPv6
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
    "[::ffff:0:127.0.0.1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b:1::a00:1]", "[2001:0:53aa:64c::1]",
    "[2606:4700::5efe:127.0.0.1]", "[2606:4700::200:5efe:a00:1]",
    # other spellings of 127.0.0.1 that getaddrinfo takes
    "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "127.1", "127.0.1",
    "0177.0.0.1", "0177.0.0.01", "127.0.0.0x1", "127.0.0.1.", "00127.0.0.1", "127.000.000.001",
    # names that each network resolves for itself, and broken ones
    "router", "printer.local", "nas.lan", "fritz.home", "x.home.arpa", "db.internal", "x.intranet",
    "x.corp", "x.private", "x.localdomain", "x.onion", "rig.example.", "rig..example", ".example",
    "-rig.example", "rig-.example", "a." * 130 + "example", "x" * 64 + ".example",
]  # fmt: skip
"""https://HOST[:port] that a public tracker doesn't list."""

REFUSED_ENDPOINTS = [
    # letters that look like others, are wide, or make a name only after mapping
    "https://１２７.０.０.１", "https://127。0。0。1", "https://①②⑦.⓪.⓪.①", "https://ｌocalhost",
    "https://rig.ехample", "https://münchen.example", "https://rig.example\u200b", "https://ⅼocalhost",
    # what isn't an origin
    "https://rig.example@127.0.0.1", "https://127.0.0.1@rig.example", "https://u:p@rig.example",
    "https://rig.example:443@127.0.0.1", "https://rig.example#@127.0.0.1", "https://rig.example/",
    "https://rig.example\\@127.0.0.1", "https://rig.example?x", "https://rig.example/../health",
    "https://rig.example:", "https://rig.example:0", "https://rig.example:65536",
    "https://rig.example:-1", "https://rig.example:4４3", "https://rig.example:0x1bb",
    "https://[fe80::1%eth0]", "https://[fe80::1%25eth0]", "https://[::1", "https://::1",
    "https://[v1.x]", "https://rig.example\r\nHost: x", "https://rig.example ", " https://rig.example",
    "https://%31%32%37.0.0.1", "https://127.0.0.1%2f", "https:///rig.example", "https:rig.example",
    "//rig.example", "HTTPS://rig.example", "file:///etc/passwd", "gopher://rig.example",
    "ftp://rig.example", "ws://rig.example", "unix:///run/docker.sock", "",
    # plain http, and ports of others' services
    "http://rig.example", "http://93.184.216.34:8788", "https://rig.example:22",
    "https://rig.example:25", "https://rig.example:80", "https://rig.example:53",
    "https://rig.example:1023", "https://rig.example:2375", "https://rig.example:3306",
    "https://rig.example:5432", "https://rig.example:6379", "https://rig.example:6443",
    "https://rig.example:9200", "https://rig.example:10250", "https://rig.example:11211",
    "https://rig.example:27017",
]  # fmt: skip


@pytest.fixture
async def canary() -> AsyncGenerator[Door, None]:
    """Listens on loopback, and fails the test when anybody came."""
    async with open_door(says(http_answer(b"secret"))) as door:
        yield door
        assert door.knocks == 0


async def attack(endpoint: str, *addresses: list[str], looks: int = 2) -> str | None:
    """Publish, and probe whatever the tracker said to that. Returns why it isn't reached."""
    rig = make_node(1, endpoints=[endpoint])
    async with probing(*addresses, allow_private=False, timeout_seconds=1) as prober:
        for _ in range(looks):
            health = await prober.probe(rig)
            assert health is None or health.status == "unknown"
        return problem_of(prober, rig)


@pytest.mark.parametrize("host", REFUSED_HOSTS)
async def test_private_hosts_in_any_spelling_are_neither_listed_nor_reached(
    host: str, canary: Door
) -> None:
    """A tracker that listed one all the same would not reach it: the resolver here is the real one
    in what it makes of each spelling."""
    endpoint = f"https://{host}:{canary.port}"
    with pytest.raises(PeerError) as caught:
        check_listable([endpoint], allow_private=False, relayed="")
    assert (caught.value.code, caught.value.param) == ("invalid_request", "endpoints[0]")
    for scheme in ("https", "http"):
        assert await attack(f"{scheme}://{host}:{canary.port}", LOOPBACK) in ("address", "limited")


@pytest.mark.parametrize("endpoint", REFUSED_ENDPOINTS)
async def test_what_is_no_public_origin_is_not_listed(endpoint: str) -> None:
    from_owner = make_node(1, endpoints=[endpoint])
    with pytest.raises(PeerError):
        check_descriptor(from_owner.signed)


def check_descriptor(signed: bytes) -> None:
    """What a tracker does with a published descriptor's endpoints."""
    descriptor = verify_descriptor(signed)
    check_listable(descriptor.endpoints, allow_private=False, relayed="")


ADDRESSES = {
    "loopback": LOOPBACK,
    "private": ["10.0.0.1"],
    "link-local": ["169.254.169.254"],
    "ipv6 loopback": ["::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "zone id": ["fe80::1%lo"],
    "loopback after a public one": [PUBLIC, "127.0.0.1"],
    "loopback before a public one": ["127.0.0.1", PUBLIC],
    "one private among many": [*[PUBLIC] * 50, "127.0.0.1"],
    "another family's": [PUBLIC, "::1"],
    "nothing": [],
    "no address": ["not an address"],
    "unspecified": ["0.0.0.0"],  # noqa: S104
    "azure": ["168.63.129.16"],
}


@pytest.mark.parametrize("addresses", ADDRESSES.values(), ids=ADDRESSES)
async def test_public_tracker_never_connects_to_a_private_address(
    addresses: list[str], canary: Door
) -> None:
    """The name looks public; what it resolves to isn't. CNAMEs make no difference to that."""
    assert await attack(f"https://rig.example.org:{canary.port}", addresses) == "address"


async def test_a_name_that_turns_private_is_not_followed(canary: Door) -> None:
    """Rebinding: public at the first lookup, loopback ever after; each probe looks up once."""
    endpoint = f"https://rig.example.org:{canary.port}"
    rig = make_node(1, endpoints=[endpoint])
    async with probing([PUBLIC], LOOPBACK, allow_private=False, timeout_seconds=0.2) as prober:
        prober.reach.note_proof(rig, PUBLIC, now=prober.clock())
        # The first goes to the address that was checked, which no test can reach.
        assert await prober.probe(rig) is None
        assert len(getattr(prober.resolve, "asked")) == 1  # noqa: B009 -- a stand-in's
        assert await prober.probe(rig) is None
        assert problem_of(prober, rig) == "address"


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name doesn't exist outside of the resolver here, so nobody looked it up again."""
    found: list[Door] = []
    rig_name = "rig.no-such-name.example"
    clock = Clock()

    def rig() -> NodeRecord:
        return make_node(1, endpoints=[f"http://{rig_name}:{found[0].port}"])

    async with open_door(rig_at(lambda: found[0], rig, clock)) as door:
        found.append(door)
        async with probing(LOOPBACK, clock=clock) as prober:
            assert await prober.probe(rig()) == healthy(rig())
            assert set(getattr(prober.resolve, "asked")) == {rig_name}  # noqa: B009


async def test_plain_http_is_for_private_networks_only(canary: Door) -> None:
    """Also on a tracker that lists private endpoints: nobody on the way should read along."""
    for address in (PUBLIC, "2606:4700::1111"):
        rig = make_node(1, endpoints=[f"http://rig.example.org:{canary.port}"])
        async with probing([address]) as prober:
            assert await prober.probe(rig) is None
            assert problem_of(prober, rig) == "plain_http"


REDIRECTS = [
    (status, target)
    for status in (301, 302, 303, 307, 308)
    for target in (
        "http://127.0.0.1:{port}/health",
        "//127.0.0.1:{port}/",
        "http://localhost:{port}",
    )
]


@pytest.mark.parametrize(("status", "target"), REDIRECTS)
async def test_redirects_are_not_followed(status: int, target: str, canary: Door) -> None:
    """Neither from the proof nor from the question after it."""
    location = b"Location: " + target.format(port=canary.port).encode()
    answer = http_answer(b"", location, status=b"%d Go" % status)
    async with open_door(says(answer)) as door, probing() as prober:
        rig = make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])
        await prober.probe(rig)
        prober.reach.note_proof(rig, "127.0.0.1", now=prober.clock())
        await prober.probe(rig)
        assert door.knocks == 2


HEADERS = [
    b"Refresh: 0; url=http://127.0.0.1:%d/",
    b"Link: <http://127.0.0.1:%d/>; rel=preload",
    b'Alt-Svc: h2="127.0.0.1:%d"; persist=1',
    b"Content-Location: http://127.0.0.1:%d/health",
    b"Upgrade: h2c, 127.0.0.1:%d",
]


@pytest.mark.parametrize("header", HEADERS)
async def test_no_header_leads_elsewhere(header: bytes, canary: Door) -> None:
    good = msgspec.json.encode(healthy(make_node(1)))
    async with (
        open_door(says(http_answer(good, header % canary.port))) as door,
        probing() as prober,
    ):
        rig = make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])
        prober.reach.note_proof(rig, "127.0.0.1", now=prober.clock())
        assert await prober.probe(rig) is not None
        assert await prober.probe(rig) is not None
        assert door.knocks == 2


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"]
)
async def test_proxies_of_the_environment_are_ignored(
    name: str, canary: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    found: list[Door] = []
    clock = Clock()

    def rig() -> NodeRecord:
        return make_node(1, endpoints=[f"http://127.0.0.1:{found[0].port}"])

    async with open_door(rig_at(lambda: found[0], rig, clock)) as door:
        found.append(door)
        async with probing(clock=clock) as prober:
            assert await prober.probe(rig()) == healthy(rig())


async def test_a_lookup_that_never_ends_ends_at_the_deadline() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    rig = make_node(1, endpoints=["https://tarpit.example.org"])
    async with probing(allow_private=False, timeout_seconds=0.05) as prober:
        assert await replace(prober, resolve=never).probe(rig) is None
        assert problem_of(prober, rig) == "address"


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "localhost"])
async def test_the_systems_resolver_knows_spellings_that_must_not_pass(host: str) -> None:
    """Why the list above is needed: each of these is this machine, to getaddrinfo."""
    resolver = SystemResolver()
    try:
        found = await resolver(host, 443)
    finally:
        resolver.close()
    assert found
    assert not any(map(is_public_address, found))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://rig.example", "https://a.b.rig.example:8443", "https://93.184.216.34",
        "https://[2606:4700::1111]:8443", "https://xn--mnchen-3ya.example", "https://rig.example:1024",
        "https://RIG.Example", "https://rig-1.example.co.uk:65535", "https://my_rig.duckdns.org",
    ],
)  # fmt: skip
def test_good_endpoints_are_listed(endpoint: str) -> None:
    check_listable([endpoint], allow_private=False, relayed="")


@pytest.mark.parametrize("endpoint", ["http://rig.example", "https://192.168.1.7:8788"])
def test_a_refusal_says_what_to_do(endpoint: str) -> None:
    with pytest.raises(PeerError) as caught:
        check_listable([endpoint], allow_private=False, relayed="")
    assert "caddy reverse-proxy --from" in caught.value.message
    assert "--tunnel" in caught.value.message


def test_every_endpoint_is_looked_at() -> None:
    with pytest.raises(PeerError) as caught:
        check_listable(["https://rig.example", "https://10.0.0.1"], allow_private=False, relayed="")
    assert caught.value.param == "endpoints[1]"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104
     "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
     "168.63.129.16", "192.88.99.1",
     "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:10.0.0.1",
     "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:53aa:64c::1", "2001:db8::1",
     "64:ff9b:1::1", "3fff::1", "4000::1", "2606:4700::5efe:7f00:1", "not an address", ""],
)  # fmt: skip
def test_private_and_disguised_addresses_are_not_public(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["1.1.1.1", PUBLIC, "2606:4700::1111", "2a00:1450:4001::200e"])
def test_public_addresses_are(address: str) -> None:
    assert is_public_address(address)


# TLS: who else has a certificate is somebody else

NAME = "rig.example.org"


def certificate(folder: Path, names: list[str], *, days: int = 30) -> tuple[ssl.SSLContext, bytes]:
    """(a server's TLS with a self-signed certificate of those names, the certificate as PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a rig")])
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        for name in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = folder / "rig.pem"
    path.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, pem


async def probe_tls(server: ssl.SSLContext, trusted: bytes | None) -> tuple[str | None, list[str]]:
    """(what is wrong, what the rig was asked) at https://NAME, served with that TLS."""
    believed = ssl.create_default_context()
    if trusted is not None:
        believed.load_verify_locations(cadata=trusted.decode())
    found: list[Door] = []
    clock = Clock()

    def rig() -> NodeRecord:
        return make_node(1, endpoints=[f"https://{NAME}:{found[0].port}"])

    async with open_door(rig_at(lambda: found[0], rig, clock), server) as door:
        found.append(door)
        async with probing(LOOPBACK, clock=clock, tls=believed) as prober:
            await prober.probe(rig())
            return problem_of(prober, rig()), door.paths


async def test_tls_with_a_good_certificate_works(tmp_path: Path) -> None:
    """Of the endpoint's name, although the connection goes to an address."""
    server, pem = certificate(tmp_path, [NAME])
    problem, paths = await probe_tls(server, pem)
    assert (problem, len(paths)) == (None, 2)


BAD_TLS: dict[str, Callable[[Path], tuple[ssl.SSLContext, bytes | None]]] = {
    "another name": lambda folder: certificate(folder, ["other.example.org"]),
    "the address instead of the name": lambda folder: certificate(folder, ["127.0.0.1"]),
    "a wildcard of something else": lambda folder: certificate(folder, ["*.rig.example.org"]),
    "expired": lambda folder: certificate(folder, [NAME], days=-1),
    "signed by nobody known": lambda folder: (certificate(folder, [NAME])[0], None),
}


@pytest.mark.parametrize("make", BAD_TLS.values(), ids=BAD_TLS)
async def test_tls_with_a_bad_certificate_is_no_rig(
    make: Callable[[Path], tuple[ssl.SSLContext, bytes | None]], tmp_path: Path
) -> None:
    problem, paths = await probe_tls(*make(tmp_path))
    assert (problem, paths) == ("tls", [])


async def test_what_speaks_no_tls_is_no_rig() -> None:
    async with open_door(says(http_answer(b"{}"))) as door, probing(timeout_seconds=2) as prober:
        rig = make_node(1, endpoints=[f"https://{NAME}:{door.port}"])
        assert await prober.probe(rig) is None
        assert problem_of(prober, rig) in ("tls", "connect")


def test_there_are_enough_attacks() -> None:
    assert len(REFUSED_HOSTS) + len(REFUSED_ENDPOINTS) + len(ADDRESSES) + len(REDIRECTS) >= 60
