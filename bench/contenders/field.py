"""All registries of one run, on one emulator of storage, and the tokens that all of them take."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bench.compare.wire import HOST, Client
from bench.contenders import distribution, slipway
from bench.contenders.contender import Contender, Family, Kind
from bench.contenders.go_tools import GoError
from devhost.processes.azurite import Azurite
from registry_core.access.signing_keys import SigningKeys
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection

_ACTIONS = "pull,push,delete,metadata_read"
CATALOG = "registry:catalog:*"


@dataclass
class Tokens:
    """Access tokens, all issued by Slipway."""

    client: Client
    basic: Mapping[str, str]
    _known: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    async def of(self, *repositories: str) -> dict[str, str]:
        """The header that allows everything in these repositories, and the catalog without one."""
        if repositories not in self._known:
            scopes = [f"repository:{name}:{_ACTIONS}" for name in repositories] or [CATALOG]
            query = "".join(f"&scope={quote(scope)}" for scope in scopes)
            answer = await self.client.ask(
                200, "GET", f"/oauth2/token?service={HOST}{query}", self.basic
            )
            token = json.loads(answer.body)["access_token"]
            self._known[repositories] = {"Authorization": f"Bearer {token}"}
        return self._known[repositories]


@dataclass(frozen=True)
class Field:
    """What runs."""

    azurite: Azurite
    folder: Path
    password: str
    keys: Sequence[Mapping[str, str]]
    """What distribution verifies tokens with."""
    contenders: Sequence[Contender]
    """What is measured."""
    aside: Mapping[Family, Contender]
    """One of each family that is not measured: it prepares what others are not to have seen."""

    @property
    def basic(self) -> Mapping[str, str]:
        """The header with the admin's password."""
        return basic(self.password)

    @property
    def families(self) -> Sequence[Family]:
        """Those that are there."""
        return tuple(self.aside)

    @property
    def pids(self) -> tuple[int, ...]:
        """All processes that work for what is measured, but this one."""
        running = (*self.contenders, *self.aside.values())
        own = (pid for each in running for pid in each.pids)
        return (self.azurite.pid, *own)


def basic(password: str) -> dict[str, str]:
    """The header with the admin's password."""
    text = base64.b64encode(f"{slipway.USERNAME}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


@contextlib.contextmanager
def fielded(kinds: Sequence[Kind], say: Callable[[str], None]) -> Iterator[Field]:
    """Starts those of `kinds` that there can be on this machine, and says which there cannot.

    Raises `DevhostError`.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        azurite = stack.enter_context(Azurite(folder / "storage"))
        password = secrets.token_urlsafe(32)
        keys = [asyncio.run(_signing_key(azurite))]
        contenders: list[Contender] = []
        aside: dict[Family, Contender] = {}

        def started(contender: Contender) -> Contender:
            stack.callback(contender.stop)
            return contender

        def start_slipway() -> None:
            aside[Family.SLIPWAY] = started(slipway.devhost(azurite, password))
            if Kind.DEVHOST in kinds:
                contenders.append(started(slipway.devhost(azurite, password)))
            if Kind.ENGINE in kinds and slipway.has_engine():
                contenders.append(started(slipway.engine(azurite, password, folder)))
            elif Kind.ENGINE in kinds:
                say("no .venv-engine (it needs a Python 3.13): left out under the engine")

        def start_distribution() -> None:
            distribution.prepare(azurite)
            first = started(distribution.distribution(azurite, keys, folder))
            aside[Family.DISTRIBUTION] = first
            contenders.append(started(distribution.distribution(azurite, keys, folder)))

        start_slipway()
        if Kind.DISTRIBUTION in kinds:
            try:
                start_distribution()
            except GoError as error:
                say(f"distribution is left out, and Slipway measured alone: {error}")
        yield Field(azurite, folder, password, keys, contenders, aside)


async def _signing_key(azurite: Azurite) -> Mapping[str, str]:
    connection = Connection(StorageSettings(azurite.connection_string), CallHook())
    try:
        return (await SigningKeys(connection).signing()).jwk
    finally:
        await connection.close()
