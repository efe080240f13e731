"""Who called the registry, and by which name, behind a front end, in both ways of forwarding."""

from __future__ import annotations

import json
import socket
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.integration.devhost.octets import request
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PASSWORD = "vR7-kQ2_tW9-xZ4_bN6"
FIRST, SECOND = "registry.test", "we.registry.test"
CLIENT = "203.0.113.7"
BASIC = "authorization: Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module", params=["own", "kept"])
def registry(request: pytest.FixtureRequest, azurite: Azurite) -> Iterator[HostProcess]:
    """The registry on a host that forwards in one of the two ways."""
    settings = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        "REGISTRY_LOGIN_SERVERS": f"{FIRST},{SECOND}",
        "REGISTRY_CLIENT_ADDRESS_HEADER": "X-Azure-ClientIP",
        "FORWARDED_HEADERS": request.param,
        "LOG_FORMAT": "json",
    }
    with HostProcess(ROOT, settings) as running:
        yield running


class Asked:
    """An answer, and what the log has of its request."""

    def __init__(self, registry: HostProcess, *fields: str, named: str | None = "host: x") -> None:
        agent = f"test/{uuid.uuid4()}"
        where, _, port = registry.base_url.removeprefix("http://").partition(":")
        sent = request(
            *fields, BASIC, f"user-agent: {agent}", line="GET /v2/ HTTP/1.1", named=named
        )
        sent_without = sent.replace(BASIC.encode(), b"x: y").replace(agent.encode(), b"test")
        self.challenge = self._answer(where, int(port), sent_without)
        self.answer = self._answer(where, int(port), sent)
        self.status = int(self.answer.split(" ")[1])
        self.record = self._record(registry, agent) if self.status == 200 else {}

    def _answer(self, where: str, port: int, sent: bytes) -> str:
        with socket.create_connection((where, port), timeout=PATIENCE) as connection:
            connection.sendall(sent)
            received = b""
            while part := connection.recv(65536):
                received += part
        return received.decode()

    def _record(self, registry: HostProcess, agent: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = [line for line in registry.output.splitlines() if agent in line]
            if lines:
                break
            assert time.monotonic() < deadline
        (line,) = lines
        record: dict[str, Any] = json.loads(line)
        return record

    @property
    def realm(self) -> str:
        """The host of the realm, which is the service as well."""
        name = self.challenge.partition('realm="https://')[2].partition("/")[0]
        assert f'service="{name}"' in self.challenge
        assert self.record.get("LoginServer", name) == name
        return name


def front_end(name: str = FIRST, client: str = CLIENT) -> list[str]:
    """What Azure's front end sends."""
    entry = f"[{client}]:51234" if ":" in client else f"{client}:51234"
    return [
        f"DISGUISED-HOST: {name}",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-For: {entry}",
        f"CLIENT-IP: {entry}",
        f"X-Client-IP: {client}",
    ]


@pytest.mark.parametrize("client", [CLIENT, "2001:db8::7"])
@pytest.mark.parametrize("name", [FIRST, SECOND, SECOND.upper()])
def test_a_client_is_told_the_name_that_it_called_and_recorded_by_its_address(
    registry: HostProcess, name: str, client: str
) -> None:
    asked = Asked(registry, *front_end(name, client))
    assert asked.realm == name.lower()
    assert asked.record["CallerIpAddress"] == client


@pytest.mark.parametrize(
    "forged",
    [
        ["X-Forwarded-Host: evil.test"],
        [f"X-Forwarded-Host: {SECOND}", f"X-Forwarded-Host: {SECOND}"],
        ["X-Forwarded-For: 1.1.1.1"],
        ["X-Forwarded-For: evil.test\x01"],
        ["Forwarded: for=1.1.1.1;host=evil.test"],
        ["X-Azure-ClientIP: evil.test"],
        ["X-Azure-ClientIP: 1.1.1.1", "X-Azure-ClientIP: 1.1.1.1"],
        ["X-Original-Host: evil.test", "X-Real-IP: 1.1.1.1"],
    ],
)
def test_what_a_client_forges_behind_a_front_end_changes_nothing(
    registry: HostProcess, forged: list[str]
) -> None:
    # The front end adds its entry behind the client's own.
    asked = Asked(registry, *forged, *front_end(SECOND))
    assert asked.realm == SECOND
    assert asked.record["CallerIpAddress"] == CLIENT
    assert "evil" not in asked.answer + asked.challenge


def test_the_header_of_front_door_comes_first(registry: HostProcess) -> None:
    asked = Asked(registry, "X-Azure-ClientIP: 192.0.2.5", *front_end())
    assert asked.record["CallerIpAddress"] == "192.0.2.5"
    assert asked.record["CallerIpAddressHeader"] == "X-Azure-ClientIP"


@pytest.mark.parametrize(
    "fields",
    [
        ["DISGUISED-HOST: evil.test"],
        ["X-Forwarded-Host: evil.test, evil.test"],
        ["X-Forwarded-For: evil.test, unknown"],
        ["CLIENT-IP: evil.test", "X-Client-IP: "],
        ["CLIENT-IP: 1.1.1.1\x0b", "X-Client-IP: \x01"],
        ["X-Forwarded-Proto: javascript:evil"],
        [f"X-Forwarded-For: {'1.1.1.1, ' * 1000}evil"],
    ],
)
@pytest.mark.parametrize("named", ["host: evil.test", f"host: {SECOND}:80"])
def test_without_a_front_end_no_header_is_echoed_fails_or_is_more_than_a_line_in_the_log(
    registry: HostProcess, fields: list[str], named: str
) -> None:
    asked = Asked(registry, *fields, named=named)
    assert asked.status == 200
    assert asked.realm == FIRST
    assert "evil" not in asked.answer + asked.challenge
    assert "evil" not in json.dumps(asked.record)
    # Where the headers are kept, the worker takes what is no address for that of its peer.
    assert asked.record.get("CallerIpAddress", "") in ("127.0.0.1", "")


def test_a_host_that_is_none_of_ours_does_not_hide_one_that_the_platform_has_moved(
    registry: HostProcess,
) -> None:
    own = "X-Forwarded-Host: evil.test"
    assert Asked(registry, own, named=f"host: {SECOND}").realm == SECOND


@pytest.mark.parametrize("named", [None, "host: a\r\nhost: b", "host: a b", "host:"])
def test_a_host_that_the_platform_refuses_never_reaches_the_registry(
    registry: HostProcess, named: str | None
) -> None:
    asked = Asked(registry, named=named)
    assert asked.status == (500 if named == "host:" else 400)
    assert "www-authenticate" not in asked.challenge.lower()
