"""A registry with an image that stays, and litter for jobs to find."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from registry_core.blobs import rows as blob_rows
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.storage import tables
from tests.integration.core.collection.support import Collecting, moment, stores_of
from tests.integration.core.collection.test_walk import Filled
from tests.integration.core.soft import keeping, purge
from tests.integration.core.soundness import broken_in
from tests.integration.core.support import Client, Image, digest_of, is_pullable

HOME = "kept/app"
DAYS = 8
"""After so many what was deleted softly cannot be restored any more."""


@dataclass
class Stage:
    """What one run of a job finds."""

    client: Client
    """Works on storage that never fails."""
    kept: Image
    gone: Image = field(default_factory=Image.make)
    """It was deleted, and its blobs are there."""
    swept: bytes = field(default_factory=lambda: secrets.token_bytes(20))
    """A blob of which the object is left, and the row that dooms it."""
    emptied: str = field(default_factory=lambda: f"gone/{secrets.token_hex(4)}")
    """A repository that has no manifest any more."""
    day: date = date.min
    """On which uploads were abandoned."""

    async def litter(self) -> None:
        """Leaves every kind of garbage."""
        self.gone, left, *_ = await asyncio.gather(
            self.client.push_image(HOME, "v2"),
            self.client.push_image(self.emptied),
            _swept(self.client, self.swept),
            _abandoned(self.client),
            _orphaned(self.client),
        )
        for name, image in ((HOME, self.gone), (self.emptied, left)):
            answer = await self.client.send("DELETE", f"/v2/{name}/manifests/{image.digest}")
            assert answer.status_code == 202, answer.text
        # A blob of the image that stays is sent again: its object is in vain.
        location, layer = await self.client.begin(HOME), self.kept.layer
        answer = await self.client.commit(location, digest_of(layer), layer)
        assert answer.status_code == 201, answer.text
        self.day = datetime.now(UTC).date()

    async def untag(self) -> None:
        """Leaves an image without a tag."""
        self.gone = await self.client.push_image(HOME, "v3")
        answer = await self.client.send("DELETE", f"/v2/{HOME}/manifests/v3")
        assert answer.status_code == 202, answer.text

    async def delete_softly(self) -> None:
        """Leaves what can be restored: an image with its tag, and a whole repository."""
        self.gone, _ = await asyncio.gather(
            self.client.push_image(HOME, "v4"), self.client.push_image(self.emptied)
        )
        async with keeping(self.client):
            for path in (f"/v2/{HOME}/manifests/{self.gone.digest}", f"/acr/v1/{self.emptied}"):
                answer = await self.client.send("DELETE", path)
                assert answer.status_code == 202, answer.text

    async def break_rows(self) -> None:
        """Loses rows of the image that stays: of a list, of protection, and of a blob itself."""
        stores, home = stores_of(self.client), RepositoryName(HOME)
        layer, config = map(digest_of, (self.kept.layer, self.kept.config))
        need = blob_rows.requirement(home, Digest.parse(self.kept.digest))
        of_home = await stores.repositories.query(rows.partition(home), "T:", "T;", ())
        lost = [row.key for row in of_home]
        await stores.repositories.transact(rows.partition(home), list(map(tables.delete, lost)))
        await stores.blobs.transact(layer, [tables.delete(need)])
        await stores.blobs.transact(config, [tables.delete(blob_rows.BLOB)])

    async def broken(self) -> list[str]:
        """What is not as it must be, but for garbage."""
        found = await broken_in(self.client.services.connection)
        if not await is_pullable(self.client, HOME, self.kept):
            found.append("the image that stays cannot be pulled")
        return found

    async def is_clean_much_later(self) -> None:
        """A purge and two walks as of when all is old leave what the image needs, no more."""
        assert not (await purge(self.client, DAYS)).failed
        deleted = self.client.services.soft_delete.repositories
        assert not (await deleted.entries("", (), 1)).rows
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
