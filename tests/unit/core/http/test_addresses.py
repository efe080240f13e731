"""Who called and by which name, in both ways in which the Functions host forwards a request."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from registry_core.http import addresses
from registry_core.settings import Settings, StorageSettings

SERVERS = ("registry.example.com", "localhost:7071", "we.registry.example.com")
WORKER = ("127.0.0.1", 35621)
CLIENT, PLATFORM = "203.0.113.7", "10.0.0.9"
FRONT_DOOR = "X-Azure-ClientIP"

Headers = list[tuple[str, str]]
Way = Callable[..., Headers]


def request(headers: Headers, scheme: str = "http", peer: str = PLATFORM) -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request(
        {"type": "http", "headers": raw, "scheme": scheme, "client": (peer, 1), "server": WORKER}
    )


def settings(trusted_proxies: int = 1, client_address_header: str = "") -> Settings:
    return Settings(
        StorageSettings("none"),
        SERVERS,
        trusted_proxies=trusted_proxies,
        client_address_header=client_address_header,
    )


def kept(name: str = SERVERS[0], client: str = CLIENT) -> Headers:
    """What the function sees where the host keeps the headers."""
    return [("Host", name), ("X-Forwarded-For", client), *told(client)]


def rewritten(name: str = SERVERS[0], client: str = CLIENT) -> Headers:
    """What the function sees where the host writes its own."""
    worker = f"{WORKER[0]}:{WORKER[1]}"
    names = [("Host", worker), ("X-Forwarded-Host", name)]
    return [*names, ("X-Forwarded-For", PLATFORM), *told(client)]


def told(client: str) -> Headers:
    """What the front end tells besides."""
    return [("CLIENT-IP", f"{client}:51234"), ("X-Client-IP", client)]


both_ways = pytest.mark.parametrize("way", [kept, rewritten])


def less(headers: Headers, *names: str) -> Headers:
    return [(name, value) for name, value in headers if name not in names]


@both_ways
@pytest.mark.parametrize("name", SERVERS)
def test_the_registry_is_called_by_the_name_that_the_client_used(way: Way, name: str) -> None:
    for spelt in (name, name.upper()):
        assert addresses.login_server(request(way(spelt)), SERVERS) == name


@both_ways
@pytest.mark.parametrize(
    "name",
    [
        "",
        "evil.example",
        "we.registry.example.com.evil.example",
        "we.registry.example.com:443",
        "we.registry.example.com, evil.example",
        "localhost",
        "[::1]:7071",
        'x", realm="y',
        "a\r\nSet-Cookie: b",
        "\xff",
    ],
)
def test_by_a_name_that_is_none_of_ours_it_is_called_by_the_first(way: Way, name: str) -> None:
    assert addresses.login_server(request(way(name)), SERVERS) == SERVERS[0]


@given(st.text(st.characters(codec="latin-1")), st.text(st.characters(codec="latin-1")))
def test_whatever_the_headers_say_the_name_is_one_of_ours(host: str, forwarded: str) -> None:
    for headers in ([("Host", host)], [("Host", host), ("X-Forwarded-Host", forwarded)]):
        assert addresses.login_server(request(headers), SERVERS) in SERVERS
        assert addresses.called(request(headers), SERVERS) in ("", "localhost", *SERVERS)


def test_a_name_in_host_comes_before_one_that_the_client_has_forwarded_itself() -> None:
    headers = [*kept("we.registry.example.com"), ("X-Forwarded-Host", "localhost:7071")]
    assert addresses.login_server(request(headers), SERVERS) == "we.registry.example.com"


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
def test_a_name_given_twice_is_no_name(header: str) -> None:
    twice = [(header, "we.registry.example.com"), (header, "localhost:7071")]
    assert addresses.login_server(request(twice), SERVERS) == SERVERS[0]
    joined = [(header, "we.registry.example.com, localhost:7071")]
    assert addresses.login_server(request(joined), SERVERS) == SERVERS[0]


def found(headers: Headers, **changed: object) -> tuple[str, str]:
    caller = addresses.caller(request(headers), settings(**changed))  # type: ignore[arg-type]
    return caller.address, caller.header


def test_where_the_host_keeps_the_headers_the_address_is_the_front_ends_entry() -> None:
    assert found(kept()) == (CLIENT, "")


@pytest.mark.parametrize("inside", [PLATFORM, "127.0.0.1", "::1", "169.254.130.1", "fe80::1%eth0"])
def test_where_the_host_writes_its_own_the_address_is_the_one_that_the_front_end_tells(
    inside: str,
) -> None:
    headers = [*less(rewritten(), "X-Forwarded-For"), ("X-Forwarded-For", inside)]
    assert found(headers) == (CLIENT, "CLIENT-IP")
    assert found(less(headers, "CLIENT-IP")) == (CLIENT, "X-Client-IP")
    # Who tells nothing is one of the platform's own.
    assert found(less(headers, "CLIENT-IP", "X-Client-IP")) == (inside.partition("%")[0], "")


@pytest.mark.parametrize("inside", ["127.0.0.1:8080", "[::1]:80", "::ffff:127.0.0.1", "[fe80::1]"])
def test_an_address_of_the_inside_is_one_whoever_is_named_in_host(inside: str) -> None:
    headers = [*less(kept(), "X-Forwarded-For"), ("X-Forwarded-For", inside)]
    assert found(headers) == (CLIENT, "CLIENT-IP")


@both_ways
@pytest.mark.parametrize("client", ["203.0.113.7", "2001:db8::1"])
def test_the_address_is_the_clients_in_both_ways_with_a_port_or_without(
    way: Way, client: str
) -> None:
    host = f"[{client}]" if ":" in client else client
    for spelt in (client, f"{host}:51234", host, f" {client} "):
        headers = less(way(client=spelt), "CLIENT-IP", "X-Client-IP")
        headers += [("CLIENT-IP", spelt)]
        assert found(headers)[0] == client


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        # What stands before what a trusted proxy added is the client's own word.
        ("1.1.1.1, 203.0.113.7", 1, "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7, 192.0.2.1", 2, "203.0.113.7"),
        ("203.0.113.7", 2, "203.0.113.7"),
        ("::ffff:203.0.113.7", 1, "203.0.113.7"),
        ("2001:DB8:0::1", 1, "2001:db8::1"),
    ],
)
def test_the_caller_is_who_the_outermost_trusted_proxy_was_called_by(
    forwarded: str, trusted: int, address: str
) -> None:
    headers = [("X-Forwarded-For", forwarded)]
    assert found(headers, trusted_proxies=trusted) == (address, "")
    parts = [("X-Forwarded-For", each) for each in forwarded.split(",")]
    assert found(parts, trusted_proxies=trusted) == (address, "")


@pytest.mark.parametrize("forged", ["1.1.1.1", "::2", "1.1.1.1:80"])
def test_an_address_that_the_front_end_has_told_is_not_forged(forged: str) -> None:
    """Where the host keeps the headers, no other header of the client's is looked at."""
    ahead = [("X-Forwarded-For", forged), *less(kept(), "CLIENT-IP", "X-Client-IP")]
    besides = [("CLIENT-IP", forged), ("X-Client-IP", forged), (FRONT_DOOR, forged)]
    besides += [("Forwarded", f"for={forged}"), ("X-Real-IP", forged)]
    assert found([*ahead, *besides]) == (CLIENT, "")
    # Where it writes its own, what the client forwards is dropped; what the front end tells stays.
    assert found([*rewritten(), (FRONT_DOOR, forged)]) == (CLIENT, "CLIENT-IP")


@pytest.mark.parametrize("header", ["CLIENT-IP", "X-Client-IP"])
@pytest.mark.parametrize(
    "values",
    [
        ("1.1.1.1", CLIENT),
        (f"1.1.1.1, {CLIENT}",),
        ("",),
        ("unknown",),
        ("127.0.0.1",),
        ("1.1.1.1\r\nx: y",),
        ("1.1.1.1" + "0" * 80,),
    ],
)
def test_of_the_front_ends_headers_only_one_address_of_the_outside_is_believed(
    header: str, values: tuple[str, ...]
) -> None:
    headers = less(rewritten(), "CLIENT-IP", "X-Client-IP")
    assert found([*headers, *((header, value) for value in values)]) == (PLATFORM, "")


def test_without_a_trusted_proxy_no_header_is_believed() -> None:
    for headers in (kept(), rewritten(), [*kept(), (FRONT_DOOR, CLIENT)]):
        assert found(headers, trusted_proxies=0) == (PLATFORM, "")


@pytest.mark.parametrize(
    "forwarded", ["", " , ,", "unknown", "_hidden", "1.1.1.1 x", "\xff", "::x"]
)
def test_what_is_no_address_is_passed_over(forwarded: str) -> None:
    assert found([("X-Forwarded-For", forwarded)]) == (PLATFORM, "")
    assert found([("X-Forwarded-For", forwarded), *told(CLIENT)]) == (CLIENT, "CLIENT-IP")


def test_where_nothing_tells_an_address_there_is_none() -> None:
    bare = Request({"type": "http", "headers": []})
    assert addresses.caller(bare, settings()) == addresses.Caller("")
    # The worker's own server takes the peer from a header, whatever that is.
    assert addresses.caller(request([], peer="a\nb"), settings()) == addresses.Caller("")


@both_ways
@pytest.mark.parametrize("address", [CLIENT, "2001:db8::1"])
def test_with_front_door_in_front_the_address_is_what_its_header_tells(
    way: Way, address: str
) -> None:
    headers = [*way(client="192.0.2.1"), (FRONT_DOOR, address)]
    assert found(headers, client_address_header=FRONT_DOOR) == (address, FRONT_DOOR)
    # Off by default.
    assert found(headers)[0] == "192.0.2.1"


@both_ways
@pytest.mark.parametrize("values", [(), ("",), ("unknown",), ("1.1.1.1", "::2"), ("1.1.1.1, ::2",)])
def test_without_one_address_in_front_doors_header_the_usual_one_counts(
    way: Way, values: tuple[str, ...]
) -> None:
    headers = [*way(), *((FRONT_DOOR, value) for value in values)]
    assert found(headers, client_address_header=FRONT_DOOR)[0] == CLIENT


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Host", "X-Forwarded-For", "CLIENT-IP", "X-Client-IP", FRONT_DOOR]),
            st.text(st.characters(codec="latin-1")) | st.ip_addresses().map(str),
        ),
        max_size=6,
    )
)
def test_whatever_the_headers_say_the_address_is_one_or_none(headers: Headers) -> None:
    address, _ = found(headers, client_address_header=FRONT_DOOR)
    assert str(ipaddress.ip_address(address)) == address


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("[2001:DB8:1:2:ffff::9]:51234", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        # An IPv4 address in IPv6 form: its network of 64 bits would be all of IPv4.
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_what_one_client_has_many_addresses_of_is_one_source(address: str, source: str) -> None:
    assert addresses.source(request([("X-Forwarded-For", address)]), settings()) == source


@pytest.mark.parametrize(
    ("scheme", "forwarded", "expected"),
    [
        ("http", "https", "https"),
        ("https", "http", "http"),
        ("http", "HTTPS, http", "https"),
        ("http", "javascript", "http"),
        ("https", "", "https"),
    ],
)
def test_the_scheme_is_what_the_outermost_proxy_tells(
    scheme: str, forwarded: str, expected: str
) -> None:
    assert addresses.scheme(request([("X-Forwarded-Proto", forwarded)], scheme)) == expected


@both_ways
@pytest.mark.parametrize(
    ("host", "called"),
    [
        ("registry.example.com", "registry.example.com"),
        ("Build.example:7071", "build.example"),
        ("localhost:7071", "localhost"),
        ("[::1]:5000", "[::1]"),
    ],
)
def test_a_client_is_sent_to_storage_of_this_machine_by_the_name_that_it_called(
    way: Way, host: str, called: str
) -> None:
    servers = ("registry.example.com", "build.example:7071")
    assert addresses.called(request(way(host)), servers) == called


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7071", "localhost.evil.example", ""]
)
def test_a_client_is_sent_nowhere_by_a_name_that_is_not_ours(host: str) -> None:
    assert addresses.called(request(kept(host)), SERVERS) == ""
    # The worker's own name is this machine's.
    assert addresses.called(request(rewritten(host)), SERVERS) == WORKER[0]
