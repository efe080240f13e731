"""The storage account behind a registry: whether it is reached, and the roles that are needed.

Nothing is written. What asks for the right to write is the deletion of what does not exist: storage
looks at the right first.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from registry_core.access import signing_keys, store
from registry_core.blobs import rows as blob_rows
from registry_core.errors import Unavailable
from registry_core.repositories.messages import QUEUE
from registry_core.settings import Settings, SettingsError, StorageSettings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.calls import CallHook, Request
from registry_core.storage.connection import Connection
from registry_core.storage.faults import (
    Refused,
    RowMissing,
    StorageFault,
    StoreMissing,
    UnexpectedRefusal,
)
from registry_core.storage.objects import address
from registry_core.storage.tables import delete
from slipway_cli.health.checks import Checks, Failed, Passed, Skipped
from slipway_cli.output.cells import count

_SECONDS = 14.0
_PARTITION = "check-health"
_TABLES, _BLOBS, _DELEGATOR, _QUEUES = (
    "Storage Table Data Contributor",
    "Storage Blob Data Contributor",
    "Storage Blob Delegator",
    "Storage Queue Data Contributor",
)
_POISON = f"{QUEUE}-poison"
"""Where the Functions host moves a message that failed too often."""
_UNREACHABLE = (
    "check the address in RegistryStorage, the name server, and the account's firewall and private "
    "endpoints"
)
_Probe = Callable[[Connection], Awaitable[Passed]]


async def check(checks: Checks, whose: str) -> None:
    """Makes the checks, of what the `operator` needs or of what the `app` needs."""
    logging.getLogger("azure").addHandler(logging.NullHandler())  # What it says is said here.
    await _run(checks, "tables", _tables)
    containers = [signing_keys.CONTAINER]
    if whose == "app":
        containers.append(blob_rows.CONTAINER)
    for container in containers:
        await _run(checks, f"container-{container}", _container(container))
    if whose == "app":
        await _run(checks, "delegation-key", _delegation_key)
        await _run(checks, "queue", _queue)
        await _run(checks, "poison-queue", _poison_queue)


async def _run(checks: Checks, name: str, probe: _Probe) -> None:
    async def run() -> Passed:
        with budgeted(Budget(_SECONDS)):
            async with _connection() as connection:
                return await probe(connection)

    await checks.run(name, _SECONDS, run, late=_UNREACHABLE)


@asynccontextmanager
async def _connection() -> AsyncIterator[Connection]:
    try:
        connection = Connection(_settings(), CallHook())
    except SettingsError as error:
        raise Failed(
            "settings", "the settings of storage are missing or wrong", str(error)
        ) from error
    try:
        yield connection
    except StoreMissing as error:
        raise Failed(
            "no-registry",
            f"there is no registry in {connection.account}",
            "check RegistryStorage: it names another account, or the registry never ran on it",
        ) from error
    except UnexpectedRefusal as error:
        raise Failed(
            "unexpected", str(error), "docs/runbook.md says what the errors of storage mean"
        ) from error
    except (StorageFault, Unavailable, OSError) as error:
        raise Failed(
            "unreachable", f"storage cannot be used: {_cause(error)}", _UNREACHABLE
        ) from error
    finally:
        await connection.close()


def _settings() -> StorageSettings:
    return Settings.from_environment().storage


def _cause(error: BaseException) -> str:
    """What the wire said, below what the registry's clients are told."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    return str(error) or type(error).__name__


def _refused(error: Refused, connection: Connection, role: str, where: str) -> Failed:
    if not error.is_signed_in:
        return Failed(
            "not-signed-in",
            "nobody is signed in to Azure here",
            "run az login, or set RegistryStorage to a connection string",
        )
    if connection.account_key is not None:
        return Failed(
            "wrong-key",
            f"storage does not take the key ({error.code})",
            "copy the connection string again. If it is right, the account takes no keys, or its "
            "firewall does not let this machine in",
            {"code": error.code},
        )
    return Failed(
        "no-role",
        f"this identity may not ({error.code})",
        f"give it the role {role} on {where}. It works after some minutes. If it has it already, "
        "the account's firewall does not let this machine in",
        {"code": error.code, "role": role},
    )


async def _tables(connection: Connection) -> Passed:
    account = connection.account
    try:
        await connection.table(store.TABLE).transact(_PARTITION, [delete(str(uuid.uuid4()))])
    except RowMissing:
        pass
    except Refused as error:
        raise _refused(error, connection, _TABLES, f"the account {account}") from error
    return Passed(f"{account} is reached, and its tables may be written to", {"account": account})


def _container(container: str) -> _Probe:
    async def probe(connection: Connection) -> Passed:
        url = address(connection.blobs.url, container, f"{_PARTITION}/{uuid.uuid4()}")
        try:
            await connection.blobs.write(Request("DELETE", url))
        except RowMissing:
            pass
        except Refused as error:
            where = f"the container {container} of {connection.account}"
            raise _refused(error, connection, _BLOBS, where) from error
        return Passed("it may be written to", {"account": connection.account})

    return probe


async def _delegation_key(connection: Connection) -> Passed:
    if connection.account_key is not None:
        raise Skipped("account-key", "addresses are signed by the account's key")
    now = datetime.now(UTC)
    try:
        await connection.delegation_key(now, now + timedelta(minutes=15))
    except Refused as error:
        raise _refused(
            error, connection, _DELEGATOR, f"the account {connection.account}"
        ) from error
    return Passed("addresses of blobs can be signed", {"account": connection.account})


async def _queue(connection: Connection) -> Passed:
    queue = connection.queue(QUEUE)
    try:
        waiting = await queue.count()
        with suppress(RowMissing):
            await queue.delete(str(uuid.uuid4()), "none")
    except Refused as error:
        where = f"the account {connection.account}"
        raise _refused(error, connection, _QUEUES, where) from error
    except StoreMissing as error:
        raise Failed(
            "no-queue",
            f"there is no queue {QUEUE} in {connection.account}",
            "the next deletion makes it again. What the messages in it named is collected within "
            "thirty nights, or by slipway gc at once",
        ) from error
    facts = {"account": connection.account, "messages": waiting}
    return Passed(f"{QUEUE} may be used; about {count(waiting, 'message')} in it", facts)


async def _poison_queue(connection: Connection) -> Passed:
    try:
        failed = await connection.queue(_POISON).count()
    except StoreMissing:
        failed = 0  # The host makes it when it first needs it.
    except Refused as error:
        where = f"the account {connection.account}"
        raise _refused(error, connection, _QUEUES, where) from error
    if failed:
        raise Failed(
            "failed-messages",
            f"about {count(failed, 'message')} failed again and again: {_POISON} has them",
            "search the log for take_message to see why, run slipway gc to collect what they "
            "name, and then clear the queue: see docs/runbook.md, The alert poison-queue",
            {"messages": failed},
        )
    return Passed("no message was given up", {"messages": 0})
