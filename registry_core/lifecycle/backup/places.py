"""How people name a shelf: a folder, or a container of any storage account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from registry_core.lifecycle.backup.shelves import Container, Folder, Shelf
from registry_core.model.accounts import account_of, has_account_in_path
from registry_core.settings import StorageSettings
from registry_core.storage.connection import Connection

SETTING = "BackupStorage"
"""The connection string of the account that has the backups, where no identity is used."""
_EXAMPLE = "https://<account>.blob.core.windows.net/<container>, or a folder"


class WrongPlace(Exception):
    """What was named is no place for backups; the text says why."""


@dataclass(frozen=True)
class Place:
    """Where backups lie."""

    folder: Path | None = None
    service: str = ""
    """The address of the blobs' service, without a slash at the end."""
    account: str = ""
    container: str = ""
    prefix: str = ""
    """What the name of each object begins with: empty, or it ends in a slash."""

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that people typed. Raises `WrongPlace`."""
        parts = urlsplit(text)
        if parts.scheme == "file":
            if parts.netloc not in ("", "localhost"):
                raise WrongPlace(f"{text}: a folder is file:///path")
            return cls(folder=Path(unquote(parts.path)))
        if "://" not in text:
            return cls(folder=Path(text).expanduser())
        if parts.query or parts.username or parts.fragment:
            # Not repeated: it may hold a signature.
            raise WrongPlace(
                "the address of a container has no signature or password in it: sign in with az "
                f"login, or set {SETTING} to the connection string of its account"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WrongPlace(f"{text}: name a container as {_EXAMPLE}")
        return cls._of_container(text)

    @classmethod
    def _of_container(cls, text: str) -> Place:
        parts = urlsplit(text)
        names = [each for each in parts.path.split("/") if each]
        service, account = f"{parts.scheme}://{parts.netloc}", account_of(text, "blob")
        if account and has_account_in_path(parts.hostname or ""):
            service, names = f"{service}/{account}", names[1:]
        if not account or not names:
            raise WrongPlace(f"{text}: name a container as {_EXAMPLE}")
        prefix = "".join(f"{each}/" for each in names[1:])
        return cls(service=service, account=account, container=names[0], prefix=prefix)

    def __str__(self) -> str:
        if self.folder is not None:
            return str(self.folder)
        return f"{self.service}/{self.container}/{self.prefix}".rstrip("/")


@asynccontextmanager
async def opened(
    place: Place, own: Connection, settings: StorageSettings, connection_string: str = ""
) -> AsyncIterator[Shelf]:
    """The shelf at a place, by the registry's own connection where it is in its account.

    Another account is opened by a connection string, or else by the identity in the registry's
    `settings`. Raises `WrongPlace`.
    """
    if place.folder is not None:
        yield Folder(place.folder)
        return
    if place.service == own.blobs.url:
        yield Container(own, place.container, place.prefix)
        return
    connection = _connection(place, own, settings, connection_string)
    try:
        yield Container(connection, place.container, place.prefix)
    finally:
        await connection.close()


def _connection(
    place: Place, own: Connection, settings: StorageSettings, connection_string: str
) -> Connection:
    if connection_string:
        connection = Connection(StorageSettings(connection_string), own.hook)
        if connection.blobs.url != place.service:
            raise WrongPlace(
                f"{SETTING} is of {connection.blobs.url}, and the container of {place.service}"
            )
        return connection
    if place.service.startswith("http://"):
        raise WrongPlace(f"{place}: set {SETTING} to the connection string of its account")
    # Nothing is kept in tables there.
    there = replace(
        settings,
        connection_string="",
        blob_uri=place.service,
        table_uri=place.service,
        account_name=place.account,
    )
    return Connection(there, own.hook)
