"""The check of everything in storage, beside whatever goes on there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeVar

from registry_core.blobs import rows as blob_rows
from registry_core.errors import NameInvalid, Unavailable
from registry_core.lifecycle.collection.partition import Partition
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck.advice import DOCUMENT, advice, lost
from registry_core.lifecycle.fsck.blobs import Blob, Blobs, Object, is_digest
from registry_core.lifecycle.fsck.hashing import Hasher
from registry_core.lifecycle.fsck.parsing import UNREADABLE, name_of
from registry_core.lifecycle.fsck.repair import Ended, Mender
from registry_core.lifecycle.fsck.report import Fault, Outcome, Place, Report, Tell
from registry_core.lifecycle.fsck.repository import (
    Repositories,
    Suspect,
    hidden_wrongly,
)
from registry_core.lifecycle.fsck.settle import Unsettled
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding, Invariant
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.storage.budget import current
from registry_core.storage.connection import Connection
from registry_core.storage.faults import ConditionFailed, RowMissing, StorageFault
from registry_core.storage.objects import Location
from registry_core.storage.pacing import together

A_CHANGE_SECONDS = 60.0
"""Longer than a request takes: what it does after its transaction is done by then."""
_MOST_FAILED = 20
"""A check that could not look at so many things has met storage that fails."""
_NEEDS_AT_ONCE = 500
"""Of so many blobs of a repository the outcomes are kept at a time."""

_MOVING = {Invariant.OBJECTS, Invariant.CONTENT_ROW}
"""Where these are mended, a blob may lie elsewhere."""

Document = Callable[[], Awaitable[object]]
"""Reads something of `system` or `access`; raises what reading raises if it is none."""
T = TypeVar("T")


def _nobody(_: Report) -> None:
    """Is told how far it is."""


async def _once() -> AsyncIterator[None]:
    yield None


async def _wait() -> None:
    await asyncio.sleep(A_CHANGE_SECONDS)


class Checker:
    """Checks one registry. It writes nothing, unless it is to repair what is broken."""

    def __init__(
        self,
        stores: Stores,
        tell: Tell,
        documents: Mapping[str, Document] | None = None,
        show: Callable[[Report], None] = _nobody,
        wait: Callable[[], Awaitable[None]] = _wait,
        *,
        repair: bool = False,
        verify_content: bool = False,
    ) -> None:
        self._stores = stores
        self._tell = tell
        self._show = show
        self._documents = documents or {}
        self._wait = wait
        """Until a request that was under way has ended."""
        self.repositories = Repositories(stores)
        self.blobs = Blobs(stores)
        self.report = Report()
        self._mender = Mender(stores, self.repositories, self.blobs) if repair else None
        self._hasher = Hasher(stores.content, self._moved) if verify_content else None
        self._later: list[tuple[RepositoryName, Suspect]] = []
        self._lost: list[tuple[str, Finding]] = []
        self._named: set[tuple[Invariant, str, str]] = set()

    @classmethod
    def of(
        cls,
        connection: Connection,
        tell: Tell,
        documents: Mapping[str, Document],
        show: Callable[[Report], None],
        *,
        repair: bool = False,
        verify_content: bool = False,
    ) -> Self:
        """That of the registry which a connection leads to. `show` is told how far it is."""
        return cls(
            Stores.over(connection),
            tell,
            documents,
            show,
            repair=repair,
            verify_content=verify_content,
        )

    async def run(self) -> Report:
        """Looks at everything; tells each thing that is broken. It ends early if storage fails."""
        await self._check_documents()
        await self._each(self.repositories.partitions(), self.check_partition)
        await self._each(self.blobs.pages(), self.check_blobs)
        await self._each(_once(), lambda _: self.judge_later())
        await self._each(_once(), lambda _: self.look_for_lost())
        if _MOVING & self.report.mended.keys():
            await self._follow()
        if self._hasher:
            await self._each(self.blobs.pages(), self._verify_all)
        return self.report

    async def _follow(self) -> None:
        """Has the rows of manifests follow blobs that were found to lie elsewhere."""
        looked_at, self.report = self.report, Report()
        await self._each(self.repositories.partitions(), self.check_partition)
        looked_at.add(self.report)
        self.report = looked_at

    def is_over(self) -> bool:
        """Whether storage fails."""
        return self.report.failed >= _MOST_FAILED

    async def _each(self, found: AsyncIterator[T], check: Callable[[T], Awaitable[None]]) -> None:
        if self.is_over():
            return
        try:
            async for each in found:
                try:
                    await check(each)
                except (StorageFault, Unavailable):
                    self.report.failed += 1
                self._show(self.report)
                if self.is_over():
                    return
        except (StorageFault, Unavailable):  # What there is cannot even be listed.
            self.report.failed += _MOST_FAILED

    async def _all(self, looks: Iterable[Awaitable[None]]) -> None:
        """Several at once; one that storage fails does not end the others."""
        await together(map(self._counted, looks))

    async def _counted(self, look: Awaitable[None]) -> None:
        try:
            await look
        except (StorageFault, Unavailable):
            self.report.failed += 1

    def broken(self, fault: Fault) -> None:
        """Something was broken: it still is, or was mended."""
        name = (fault.invariant, fault.partition, fault.key)
        if fault.outcome is Outcome.FOUND and name in self._named:
            return  # By looking once more.
        self._named.add(name)
        self.report.count(fault)
        self._tell(fault)

    def _ended(self, fault: Fault, ended: Ended | None) -> None:
        """How the repair of something ended, if there was one."""
        if ended is Ended.MENDED:
            fault = replace(fault, outcome=Outcome.MENDED)
        elif ended is not None:
            fault = replace(
                fault, can_be_mended=False, advice=fault.advice or lost(fault.invariant)
            )
        self.broken(fault)

    # The bytes.

    async def _verify_all(self, found: list[Partition]) -> None:
        await self._all(map(self.verify, found))

    async def verify(self, found: Partition) -> None:
        """Reads the object of a blob and compares its digest. Raises `Unavailable`."""
        blob = await self.blobs.look(found)
        if not blob.content or not blob.found or not blob.found.state:
            return  # That is told already.
        try:
            digest = await self._hash(blob.found, blob.digest)
        except (ConditionFailed, RowMissing):  # Collected meanwhile, or pushed again.
            return
        if digest == blob.digest:
            return
        again = await self.blobs.settled(blob.digest)
        if isinstance(again, Blob) and again.found == blob.found:
            text = f"the bytes of its object {blob.content.location} have the digest {digest}"
            finding = Finding(Invariant.CONTENT, blob_rows.BLOB, text, digest=blob.digest)
            self.broken(Fault.of(finding, "", advice(finding)))

    async def _hash(self, found: Object, digest: str) -> str:
        if self._hasher is None or found.state is None:
            raise LookupError(digest)
        algorithm = Digest.parse(digest).algorithm
        state = found.state
        return await self._hasher.digest(found.location, state.size, state.etag, algorithm)

    def _moved(self, size: int) -> None:
        self.report.verified += size
        self._show(self.report)

    # What all instances share.

    async def _check_documents(self) -> None:
        for name, read in self._documents.items():
            try:
                await read()
            except UNREADABLE as error:
                text = f"it cannot be read ({type(error).__name__})"
                self.broken(
                    Fault(
                        Invariant.DOCUMENTS,
                        Place.SYSTEM,
                        "",
                        name,
                        text,
                        can_be_mended=False,
                        advice=DOCUMENT,
                    )
                )
            except (StorageFault, Unavailable):
                self.report.failed += 1

    # Repositories.

    async def check_partition(self, partition: str) -> None:
        """Checks a repository. Raises `Unavailable` if storage fails."""
        try:
            name = name_of(partition)
        except NameInvalid:
            finding = Finding(Invariant.READABLE, "", "the partition is no repository's name")
            self.broken(Fault.of(finding, partition, advice(finding)))
            return
        await self.check_repository(name)

    async def check_repository(self, name: RepositoryName) -> None:
        """Checks a repository, and that its manifests have what they need."""
        glance = await self.repositories.glance(name)
        self.report.repositories += rows.is_live(glance.present.get(rows.REPOSITORY))
        self.report.manifests += glance.count(rows.MANIFESTS)
        self.report.tags += glance.count(rows.TAGS)
        suspects = list(glance.suspects)
        # What else is wrong with it depends on whether it is there.
        own = [each for each in suspects if each.finding.invariant is Invariant.REPOSITORY]
        for some in (own, [each for each in suspects if each not in own]):
            await self._all(self._judge(name, suspect) for suspect in some)
        needs = list(glance.needs.items())
        for first in range(0, len(needs), _NEEDS_AT_ONCE):
            found = await together(
                self.repositories.needed(name, blob, by)
                for blob, by in needs[first : first + _NEEDS_AT_ONCE]
            )
            await self._all(self._judge(name, each) for suspects in found for each in suspects)

    async def _judge(
        self, name: RepositoryName, suspect: Suspect, *, is_last: bool = False
    ) -> None:
        """Looks again at what seems broken. Raises `Unavailable`."""
        few = await self.repositories.settled(name, suspect)
        if isinstance(few, Unsettled):
            self.report.unsettled += 1
        elif finding := few.still(suspect.finding):
            if finding == hidden_wrongly() and not is_last:
                self._later.append((name, suspect))
            else:
                fault = Fault.of(finding, name.text, advice(finding))
                mender = self._mender if fault.can_be_mended else None
                self._ended(fault, await mender.repository(name, suspect) if mender else None)

    async def judge_later(self) -> None:
        """Looks again at what no transaction keeps together: a request may be about to end it."""
        if self._later:
            await self._wait()
            current().renew()  # The time was not storage's.
        for name, suspect in self._later:
            await self._judge(name, suspect, is_last=True)

    # Blobs.

    async def check_blobs(self, found: list[Partition]) -> None:
        """Checks the rows of some digests, and their objects. Raises `Unavailable`."""
        await self._all(map(self._check_blob, found))

    async def _check_blob(self, found: Partition) -> None:
        blob = await self.blobs.look(found)
        if blob.content and is_digest(blob.digest):
            self.report.blobs += 1
            self.report.size += blob.content.size
        for suspected in blob.findings():
            settled = await self.blobs.settled(blob.digest, suspected)
            if isinstance(settled, Unsettled):
                self.report.unsettled += 1
            elif finding := settled.still(suspected):
                await self._judge_blob(blob.digest, finding)

    async def _judge_blob(
        self, digest: str, finding: Finding, copies: Sequence[Location] | None = None
    ) -> None:
        """Something of a blob is broken. Raises `Unavailable` if storage fails in its repair."""
        fault = Fault.of(finding, "", advice(finding))
        mender = self._mender if fault.can_be_mended else None
        ended = await mender.blob(digest, finding, copies) if mender else None
        if ended is Ended.LOOKED_FOR:
            self._lost.append((digest, finding))
        else:
            self._ended(fault, ended)

    async def look_for_lost(self) -> None:
        """Looks through all objects for the bytes of blobs, and ends their repair."""
        if self._mender is None or not self._lost:
            return
        copies = await self._mender.copies(digest for digest, _ in self._lost)
        for digest, finding in self._lost:
            await self._judge_blob(digest, finding, copies[digest])
