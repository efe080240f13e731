"""The connection of a command to storage, and what people are told where that fails."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from registry_core.access.store import Access
from registry_core.errors import Unavailable
from registry_core.settings import Settings, SettingsError
from registry_core.storage.budget import Budget, budgeted, current
from registry_core.storage.cache import Cache
from registry_core.storage.calls import Answer, CallHook, Request, Send, StorageCall
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Ambiguous, Refused, StorageFault
from registry_core.system import SCHEMA_VERSION, System
from slipway_cli import command
from slipway_cli.command import CommandError

PATIENCE_SECONDS = 10.0
"""How long a command gets nowhere. An answer of storage, and of people, begins the time anew."""


class _Progress(CallHook):
    """Begins the command's time anew with each answer: a long list is not storage that hangs."""

    async def around(self, call: StorageCall, request: Request, send: Send) -> Answer:
        answer = await super().around(call, request, send)
        if answer.status < 500:
            current().renew()
        return answer


@asynccontextmanager
async def connection(registry: str | None = None) -> AsyncIterator[Connection]:
    """A connection to the storage that the environment names. Raises `CommandError`.

    Also where `registry` is another one than the environment's.
    """
    logging.getLogger("azure").addHandler(logging.NullHandler())  # What it says is said below.
    with _told(), budgeted(Budget(PATIENCE_SECONDS)):
        address(registry)
        opened = Connection(Settings.from_environment().storage, _Progress())
        try:
            yield opened
        finally:
            await opened.close()


async def check_schema(system: System) -> None:
    """Raises `CommandError` where there is no registry, or one of another release's."""
    version = await system.schema_version()
    if version != SCHEMA_VERSION:
        raise CommandError(
            "there is no registry in this storage. Check RegistryStorage"
            if version is None
            else f"the registry in this storage has schema version {version}, and this command "
            f"knows version {SCHEMA_VERSION}. Use the command line of the release that runs"
        )


def address(registry: str | None) -> str | None:
    """The address of the registry, as far as `--registry` or the settings tell it.

    Raises `CommandError` where the two are of different registries.
    """
    known = os.environ.get("REGISTRY_LOGIN_SERVERS", "")
    servers = Settings.from_environment().login_servers if known else ()
    if registry is None:
        return servers[0] if servers else None
    asked = registry.lower().rpartition("://")[2].rstrip("/")
    for server in servers:
        if asked in (server, server.partition(".")[0]):
            return server
    if servers:
        raise CommandError(
            f"--registry: REGISTRY_LOGIN_SERVERS names another registry, {', '.join(servers)}. Set "
            "RegistryStorage and REGISTRY_LOGIN_SERVERS to those of the registry that you mean"
        )
    return asked if "." in asked or ":" in asked else None


@asynccontextmanager
async def access(arguments: argparse.Namespace) -> AsyncIterator[Access]:
    """Tokens, scope maps and role assignments there, read anew each time."""
    async with connection(arguments.registry) as opened:
        yield Access(opened, Cache(timedelta(0)))


def confirm(arguments: argparse.Namespace, question: str) -> None:
    """As `command.confirm`; the time that people take to answer is not storage's."""
    command.confirm(arguments, question)
    current().renew()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise CommandError(str(error)) from error
    except Ambiguous as error:
        raise CommandError(
            "storage did not answer. It may or may not be done: check, and try again"
        ) from error
    except Refused as error:
        raise CommandError(_advice(error)) from error
    except (StorageFault, Unavailable, OSError) as error:
        raise CommandError(
            f"storage cannot be reached or refused the request ({error}). Check RegistryStorage. "
            "The identity needs the role Storage Table Data Contributor"
        ) from error


def _advice(error: Refused) -> str:
    if not error.is_signed_in:
        return "you are not signed in to Azure: run az login, or set RegistryStorage"
    return (
        f"storage refused the request ({error.code}). The identity needs the role Storage Table "
        "Data Contributor on the account; for keys, also Storage Blob Data Contributor on the "
        "container system. A new role takes some minutes to work. If RegistryStorage is a "
        "connection string, check the key in it"
    )
