"""`slipway check-health`: the checks in their order, and what people and programs are told."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable

from registry_core.errors import NameInvalid
from registry_core.model.names import RepositoryName
from slipway_cli.command import Result, Row, Shaped, UsageError, say, write
from slipway_cli.health import network, service
from slipway_cli.health.checks import FAILED, Checks, Outcome, in_thread
from slipway_cli.health.round_trip import RoundTrip
from slipway_cli.output.text import clean
from slipway_cli.registry import credentials, references
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.server import TIMEOUT_SECONDS, Server

_REQUESTS_SECONDS = 2 * TIMEOUT_SECONDS
"""For a check of more than one request: each may take its time, all together no more than this."""
_WIDTH = 17
_NAME_SERVERS = "check the network of this machine and its name servers"


async def run(arguments: argparse.Namespace) -> Result:
    """Makes the checks. Raises `UsageError`."""
    server, repository = _asked(arguments)
    find = await _whom(arguments, server, repository)
    if arguments.wait:
        await asyncio.to_thread(service.wait, server, arguments.wait)
    checks = Checks(_tell_people if arguments.output == "table" else _tell_beside)
    await _on_the_way(checks, server)
    await _as_a_client(checks, RoundTrip(server, repository, pull_only=arguments.pull_only), find)
    if arguments.storage or _has_storage():
        # Its libraries are slow to import.
        from slipway_cli.health import storage  # noqa: PLC0415

        await storage.check(checks, arguments.storage or "operator")
    rows = [_row(each) for each in checks.outcomes]
    document = [_document(each) for each in checks.outcomes]
    # People have been told all of it.
    return Shaped(rows, document, text="", status=int(checks.has_failed))


def _asked(arguments: argparse.Namespace) -> tuple[Server, str]:
    try:
        repository = str(RepositoryName.parse(arguments.repository))
    except NameInvalid as error:
        raise UsageError(f"--repository: {error}") from error
    return references.registry(arguments.named or arguments.registry, "REGISTRY"), repository


async def _whom(
    arguments: argparse.Namespace, server: Server, repository: str
) -> Callable[[], Awaitable[SignIn]]:
    """Who finds out as whom to sign in: at once where a password is typed, else in the check."""

    async def find() -> SignIn:
        return await credentials.find(arguments, server, repository)

    if not arguments.username and not arguments.password_stdin:
        return find
    typed = await find()

    async def known() -> SignIn:
        return typed

    return known


def _has_storage() -> bool:
    """Whether the environment names a storage account."""
    return any(
        value for name, value in os.environ.items() if name.partition("__")[0] == "RegistryStorage"
    )


async def _on_the_way(checks: Checks, server: Server) -> None:
    """From the name to what the registry says of itself."""
    place = network.Place.first(server)
    question = service.Service(server)
    await checks.run(
        "dns",
        network.NAME_SECONDS,
        in_thread(lambda: network.find(place)),
        late=_NAME_SERVERS,
    )
    await checks.run(
        "tcp", network.LATE_SECONDS, in_thread(lambda: network.connect(place)), needs=("dns",)
    )
    await checks.run(
        "tls",
        network.LATE_SECONDS,
        in_thread(lambda: network.secure(server)),
        needs=("tcp",),
    )
    await checks.run("clock", _REQUESTS_SECONDS, in_thread(question.clock), needs=("tls",))
    await checks.run("health", _REQUESTS_SECONDS, in_thread(question.health), needs=("tls",))


async def _as_a_client(
    checks: Checks, trip: RoundTrip, find: Callable[[], Awaitable[SignIn]]
) -> None:
    """From sign-in to the deletion of what was pushed."""
    await checks.run(
        "sign-in", _REQUESTS_SECONDS, lambda: trip.sign_in(find), needs=("tls", "health")
    )
    for name, check, needed in (
        ("push", trip.push, "sign-in"),
        ("pull", trip.pull, "push"),
        ("layer", trip.layer, "pull"),
        ("delete", trip.delete, "sign-in"),
    ):
        await checks.run(name, _REQUESTS_SECONDS, in_thread(check), needs=(needed,))


def _tell_people(outcome: Outcome) -> None:
    write("".join(f"{line}\n" for line in _lines(outcome)))


def _tell_beside(outcome: Outcome) -> None:
    for line in _lines(outcome):
        say(line)


def _lines(outcome: Outcome) -> list[str]:
    lines = [f"{outcome.check:{_WIDTH}} {outcome.status:7} {clean(outcome.text)}"]
    if outcome.status == FAILED and outcome.advice:
        lines.append(f"{'':{_WIDTH}} {'':7} {clean(outcome.advice)}")
    return lines


def _row(outcome: Outcome) -> Row:
    return {
        "check": outcome.check,
        "status": outcome.status,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
        "text": outcome.text,
        "advice": outcome.advice,
    }


def _document(outcome: Outcome) -> dict[str, object]:
    return {
        "check": outcome.check,
        "status": outcome.status,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
        "facts": dict(outcome.facts),
    }
