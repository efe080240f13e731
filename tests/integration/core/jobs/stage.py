"""A registry with an image that stays, and litter for jobs to find."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.storage import tables
from tests.integration.core.collection.support import Collecting, moment, stores_of
from tests.integration.core.collection.test_walk import Filled
from tests.integration.core.soundness import broken_in
from tests.integration.core.support import Client, Image, digest_of, is_pullable

HOME = "kept/app"


@dataclass
class Stage:
    """What one run of a job finds."""

    client: Client
    """Works on storage that never fails."""
    kept: Image
    gone: Image
    """It was deleted, and its blobs are there."""
    swept: bytes
    """A blob of which the object is left, and the row that dooms it."""
    emptied: str
    """A repository that has no manifest any more."""
    day: date
    """On which uploads were abandoned."""

    @classmethod
    async def set(cls, client: Client, kept: Image) -> Stage:
        """Litters."""
        swept, emptied = secrets.token_bytes(20), f"gone/{secrets.token_hex(4)}"
        gone, _, left, *_ = await asyncio.gather(
            client.push_image(HOME, "v2"),
            _swept(client, swept),
            client.push_image(emptied),
            _abandoned(client),
            _orphaned(client),
        )
        for name, image in ((HOME, gone), (emptied, left)):
            answer = await client.send("DELETE", f"/v2/{name}/manifests/{image.digest}")
            assert answer.status_code == 202, answer.text
        # A blob of the image that stays is sent again: its object is in vain.
        location = await client.begin(HOME)
        answer = await client.commit(location, digest_of(kept.layer), kept.layer)
        assert answer.status_code == 201, answer.text
        return cls(client, kept, gone, swept, emptied, datetime.now(UTC).date())

    async def broken(self) -> list[str]:
        """What is not as it must be, but for garbage."""
        found = await broken_in(self.client.services.connection)
        if not await is_pullable(self.client, HOME, self.kept):
            found.append("the image that stays cannot be pulled")
        return found

    async def is_clean_much_later(self) -> None:
        """Two walks as of when all is old leave what the image needs, and nothing else."""
        for _ in range(2):
            report = await Collecting(self.client).everything()
            assert not report.failed
        await Filled({HOME: [self.kept]}).check(self.client)


async def _swept(client: Client, content: bytes) -> None:
    digest = Digest.parse(await client.push_blob(HOME, content))
    # Nothing else is so old: only this is visited.
    visit = await Collecting(client).collector.visit_blob(digest, await moment(client))
    assert visit.due is not None


async def _abandoned(client: Client) -> None:
    await client.patch(await client.begin(HOME), b"abandoned")


async def _orphaned(client: Client) -> None:
    stores = stores_of(client)
    entry = catalog.entry_key(RepositoryName(f"orphan/{secrets.token_hex(4)}"))
    await stores.catalog.transact(catalog.PARTITION, [tables.insert(entry)])
    child = rows.child(Digest.of(b"child"), Digest.of(secrets.token_bytes(8)))
    await stores.repositories.transact(rows.partition(RepositoryName(HOME)), [tables.insert(child)])
