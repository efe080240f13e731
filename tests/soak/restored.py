"""The newest backup that was made in the midst of it, restored into another account and pulled."""

from __future__ import annotations

from collections import defaultdict

from registry_core.lifecycle.backup import documents, stored
from registry_core.lifecycle.backup.backup import exported_rows
from registry_core.lifecycle.backup.documents import Backup
from registry_core.lifecycle.backup.restore import Restores
from registry_core.lifecycle.backup.shelves import Container, Shelf
from registry_core.lifecycle.backup.stored import NoBackup
from registry_core.repositories import rows
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from registry_core.system import System
from tests.integration.core.soundness import broken_in
from tests.integration.core.support import Client
from tests.soak.jobs import SHELF
from tests.soak.verdict import Verdict, instance, pull_blobs, read


async def judge_restored(storage: str, other: str, found: Verdict) -> None:
    """Restores it from the one storage into the other, and pulls every manifest that it names.

    Those too that it names as deleted softly: they are brought back first.
    """
    connection = Connection(StorageSettings(storage), CallHook())
    restored = Verdict()
    try:
        async with instance(other) as client:
            shelf = Container(connection, SHELF)
            restores = Restores(client.services.connection, shelf)
            ready = await restores.check(reads=True)
            await restores.run(ready, System(client.services.connection).open)
            for name, digests in (await _named(shelf, ready.backup)).items():
                await _pull(client, name, digests, restored)
            restored.breaches += await broken_in(client.services.connection)
    except NoBackup:  # None was made: what is owed has not happened.
        return
    finally:
        await connection.close()
    found.restored = restored.manifests
    found.breaches += [f"restored from {ready.backup.id}: {each}" for each in restored.breaches]


async def _named(shelf: Shelf, backup: Backup) -> dict[str, dict[str, bool]]:
    """The manifests that a backup names, by repository and digest; and whether each is live."""
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for part in backup.parts:
        for exported in documents.repositories(await stored.read_lines(shelf, part)):
            for row in exported_rows(exported):
                if row.key in rows.MANIFESTS:
                    found[exported.name][rows.MANIFESTS.rest(row.key)] = rows.is_live(row)
    return found


async def _pull(client: Client, name: str, digests: dict[str, bool], found: Verdict) -> None:
    for digest, is_live in digests.items():
        if not is_live:
            url = f"/acr/v1/_deleted/{name}/_manifests/{digest}"
            answer = await client.send("POST", url, json={})
            if answer.status_code != 200:
                found.breaches.append(f"{name}: {digest} cannot be restored: {answer.text}")
    there = await read(client, name, found)
    for digest in sorted(digests.keys() ^ there.manifests.keys()):
        what = "is not there" if digest in digests else "is there, and the backup does not name it"
        found.breaches.append(f"{name}: {digest} {what}")
    await pull_blobs(client, [there], found)
