"""Rows of a repository as they all were at one moment, whatever changes them meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from registry_core.lifecycle.backup import snapshot
from registry_core.lifecycle.backup.snapshot import Snapshots
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.settings import Settings
from registry_core.storage import tables
from registry_core.storage.calls import Answer, Request, Send, traced
from registry_core.storage.tables import Row
from tests.integration.core.backup.support import put, set_attributes
from tests.integration.core.support import (
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    Image,
    connect,
    digest_of,
    index_of,
    push_blobs,
)
from tests.interference.kinds import Interference, SeenCall

REPOSITORY = "team/web"
NAME = RepositoryName(REPOSITORY)
_PUSHES = 60
Change = Callable[[], Awaitable[None]]
State = dict[str, dict[str, object]]


@pytest.fixture
async def other(client: Client) -> AsyncIterator[Client]:
    """Another instance on the same storage: it makes the changes."""
    settings: Settings = client.registry.settings
    async with connect(settings) as connected:
        yield connected


def snapshots(client: Client) -> Snapshots:
    return Snapshots(client.services.connection.table(rows.TABLE))


def in_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tables.Table.pages

    def pages(self: tables.Table, partition: str, first: str, end: str) -> AsyncIterator[list[Row]]:
        return whole(self, partition, first, end, size=5)

    monkeypatch.setattr(tables.Table, "pages", pages)


def said(found: Sequence[Row]) -> State:
    """What rows say, but for what nobody sees."""
    unseen = ("Touched", "Untagged")
    return {
        row.key: {name: value for name, value in row.values.items() if name not in unseen}
        for row in found
    }


class _OneByOne(Interference):
    """Has the calls of a snapshot made one after the other, and changes made before some."""

    def __init__(self, changes: dict[int, Change]) -> None:
        self._changes = changes
        self._turn = asyncio.Lock()
        self.count = 0

    def plan(self, _: SeenCall) -> Interference:
        return self

    async def forward(self, request: Request, send: Send) -> Answer:
        async with self._turn:
            self.count += 1
            change = self._changes.pop(self.count, None)
            if change is not None:
                await change()
            return await send(request)


@dataclass
class _Stage:
    """Changes of a repository by another instance, and the states that there have been."""

    other: Client
    old: Image = field(default_factory=Image.make)
    new: Image = field(default_factory=Image.make)
    states: list[State] = field(default_factory=list)

    async def begin(self) -> None:
        for each in (self.old, self.new):
            await push_blobs(self.other, REPOSITORY, each)
        await put(self.other, REPOSITORY, "before", self.old.manifest)

    async def prepare(self) -> None:
        """Back to where each round begins: two tags on manifests that stay."""
        await put(self.other, REPOSITORY, "latest", self.old.manifest)
        await self.name()
        self.states = [await self.state()]

    async def state(self) -> State:
        return said(await snapshots(self.other).read(NAME))

    async def move(self) -> None:
        await put(self.other, REPOSITORY, "latest", self.new.manifest)

    async def name(self) -> None:
        index = index_of([self.old.descriptor])
        await put(self.other, REPOSITORY, "all", index, OCI_INDEX)

    async def untag(self) -> None:
        answer = await self.other.send("DELETE", f"/acr/v1/{REPOSITORY}/_tags/all")
        assert answer.status_code == 202

    async def lock(self) -> None:
        await set_attributes(self.other, f"{REPOSITORY}/_tags/before", deleteEnabled=False)

    async def unlock(self) -> None:
        await set_attributes(self.other, f"{REPOSITORY}/_tags/before", deleteEnabled=True)

    def noted(self, change: Change) -> Change:
        """The change, after which it is noted how everything is."""

        async def made() -> None:
            await change()
            self.states.append(await self.state())

        return made


@pytest.mark.rule("B2")
async def test_whichever_calls_changes_come_between_it_is_of_one_moment(
    client: Client, other: Client
) -> None:
    """Two changes, before every two calls of the reader: as the explorer would, for one reader."""
    stage = _Stage(other)
    await stage.begin()
    await stage.prepare()
    quiet = _OneByOne({})
    client.hook.plan = quiet.plan
    await snapshots(client).read(NAME)
    rounds = itertools.cycle(
        [
            (stage.name, stage.move),
            (stage.untag, stage.lock),
            (stage.move, stage.untag),
            (stage.move, stage.unlock),
        ]
    )
    seen = set[int]()
    for (first, second), (one, two) in zip(
        itertools.combinations(range(1, quiet.count + 3), 2), rounds, strict=False
    ):
        await stage.prepare()
        reading = _OneByOne({first: stage.noted(one), second: stage.noted(two)})
        client.hook.plan = reading.plan
        found = said(await snapshots(client).read(NAME))
        assert found in stage.states, (first, second)
        seen.add(stage.states.index(found))
    assert seen == {0, 1, 2}


class _Pusher:
    """Pushes children, an index and tags all the time, alone: so each state is known."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.states: list[tuple[frozenset[str], dict[str, str]]] = [(frozenset(), {})]
        """Noted before each push: by the time of its answer it may have been seen."""
        self.has_begun = asyncio.Event()
        self.is_over = False

    async def run(self) -> None:
        blobs = Image.make()
        await push_blobs(self._client, REPOSITORY, blobs)
        for number in itertools.count():
            if self.is_over:
                return
            children = [blobs.with_manifest(annotations={"n": f"{number} {side}"}) for side in "ab"]
            for child in children:
                await self._push(child.manifest, "", OCI_MANIFEST)
            index = index_of(child.descriptor for child in children)
            await self._push(index, "latest", OCI_INDEX)
            await self._push(index, f"v{number}", OCI_INDEX)
            self.has_begun.set()

    async def _push(self, content: bytes, tag: str, kind: str) -> None:
        manifests, tags = self.states[-1]
        digest = digest_of(content)
        tagged = {tag: digest} if tag else {}
        self.states.append((manifests | {digest}, {**tags, **tagged}))
        await put(self._client, REPOSITORY, tag or digest, content, kind)


@pytest.mark.rule("B2")
async def test_a_repository_that_is_pushed_to_all_the_time_is_read_as_after_a_whole_change(
    client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small pages: pushes come between the first of them and the last."""
    in_small_pages(monkeypatch)
    pusher = _Pusher(other)
    pushing = asyncio.create_task(pusher.run())
    try:
        await pusher.has_begun.wait()
        while len(pusher.states) < _PUSHES:
            done = len(pusher.states) - 2
            found = await snapshots(client).read(NAME)
            manifests = frozenset(
                rows.MANIFESTS.rest(row.key) for row in found if row.key in rows.MANIFESTS
            )
            tags = {
                rows.TAGS.rest(row.key): row.text("Digest") for row in found if row.key in rows.TAGS
            }
            assert (manifests, tags) in pusher.states[done:]
    finally:
        pusher.is_over = True
        await pushing


@pytest.mark.rule("B2")
async def test_what_has_changed_is_read_in_one_round_however_many_pages_there_are(
    client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pages(monkeypatch)
    image = Image.make()
    await push_blobs(other, REPOSITORY, image)
    for number in range(23):
        await put(other, REPOSITORY, f"v{number:02}", image.manifest)
    table = client.services.connection.table(rows.TABLE)
    reading = snapshot._Reading(table, rows.partition(NAME))
    await reading._sweep(None)
    assert len(reading.cuts) >= 5, "each page is a range of its own"
    before = snapshot._Version.of(await reading._own())
    moved = image.with_manifest(annotations={"a": "b"})
    await put(other, REPOSITORY, "v11", moved.manifest)
    with traced() as trace:
        await reading._sweep(before.time)
    assert trace.rounds == 1
    assert reading.large["t:v11"].text("Digest") == moved.digest


async def test_a_repository_that_is_not_there_has_no_rows(client: Client) -> None:
    assert await snapshots(client).read(RepositoryName("nothing")) == []
    image = await client.push_image("gone", "v1")
    answer = await client.send("DELETE", f"/v2/gone/manifests/{image.digest}")
    assert answer.status_code == 202
    assert await snapshots(client).read(RepositoryName("gone")) == []
