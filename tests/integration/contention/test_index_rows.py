"""An index row or a guard that is missing or surplus: the next change that meets it mends it.

Each case is played in two repositories of the same contents. One is damaged before the change, and
has to look afterwards as the other one does.

Some damage no change can meet, and so none is asked to mend it: a surplus `T:`, `M:` or `s:`, which
nothing names, and a missing `g:` where its manifest is deleted, since nothing else names the tag.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from registry_core.model.digest import Digest
from registry_core.model.names import Tag
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.rows import live
from registry_core.storage import keys, tables
from registry_core.storage.connection import Connection
from registry_core.storage.tables import Row
from tests.integration.contention.cluster import Cluster, Request, variants
from tests.integration.core.support import OCI_INDEX, Image, digest_of, index_of

MENDING_CALLS = 12
"""What a change that mends may take beside two attempts: reads of the rows that it would write."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_BY_TIME = re.compile(r"[TM]:\d{19}:(.*)")
_COMPARED = ("T:", "g:", "M:", "s:", "c:", repository_rows.PUSH_GUARD, repository_rows.DELETE_GUARD)
"""The rows whose columns are compared, and not just whether they live."""

Rows = Mapping[str, Row]


@dataclass(frozen=True)
class Scene:
    """Manifests of the same blobs: two images, a referrer of the first, and an index of it."""

    blobs: tuple[bytes, ...]
    a: Image
    b: Image
    referrer: Image
    index: bytes

    @classmethod
    def make(cls) -> Scene:
        """One that no other test has."""
        image = Image.make()
        a, b = variants(image, 2)
        referrer = image.with_manifest(subject=a.descriptor)
        return cls(image.blobs, a, b, referrer, index_of([a.descriptor]))

    def digest(self, name: str) -> Digest:
        """Of one of its manifests."""
        manifest = self.index if name == "index" else getattr(self, name).manifest
        return Digest.parse(digest_of(manifest))

    def put(self, repository: str, name: str, tag: str = "") -> Request:
        """Pushes one of the manifests, under a tag or by its digest."""
        reference = tag or str(self.digest(name))
        if name == "index":
            return Request.put_manifest(repository, reference, self.index, OCI_INDEX)
        return Request.put_manifest(repository, reference, getattr(self, name).manifest)

    async def set(self, cluster: Cluster, repository: str) -> None:
        """Pushes all of it: `v1` is the first image, `other` the second."""
        for blob in self.blobs:
            await cluster.push_blob(repository, blob)
        for request in (
            self.put(repository, "a", "v1"),
            self.put(repository, "b", "other"),
            self.put(repository, "referrer"),
            self.put(repository, "index", "all"),
        ):
            await cluster.must(request)


Change = Callable[[Scene, str], Request]
Key = Callable[[Scene, Rows], str]


def push(name: str, tag: str = "") -> Change:
    return lambda scene, repository: scene.put(repository, name, tag)


def untag(tag: str) -> Change:
    return lambda _, repository: Request.delete(repository, tag)


def delete(name: str) -> Change:
    return lambda scene, repository: Request.delete(repository, str(scene.digest(name)))


def tag_time(tag: str) -> Key:
    """The key of `T:`."""
    return lambda _, rows: repository_rows.tag_time(
        rows[repository_rows.tag_key(Tag(tag))].time("Updated"), Tag(tag)
    )


def manifest_time(name: str) -> Key:
    """The key of `M:`."""

    def key(scene: Scene, rows: Rows) -> str:
        digest = scene.digest(name)
        manifest = rows[repository_rows.manifest_key(digest)]
        return repository_rows.manifest_time(manifest.time("Updated"), digest)

    return key


def tag_of(name: str, tag: str) -> Key:
    """The key of `g:`."""
    return lambda scene, _: repository_rows.manifest_tag(scene.digest(name), Tag(tag))


def referrer_of(subject: str, name: str) -> Key:
    """The key of `s:`."""
    return lambda scene, _: repository_rows.referrer(scene.digest(subject), scene.digest(name))


def child_of(name: str, parent: str) -> Key:
    """The key of `c:`."""
    return lambda scene, _: repository_rows.child(scene.digest(name), scene.digest(parent))


def guard(key: str) -> Key:
    return lambda _scene, _rows: key


@dataclass(frozen=True)
class Case:
    """Which row is amiss, and the change that meets it."""

    name: str
    key: Key
    change: Change
    before: Sequence[Change] = field(default_factory=tuple)
    """What is done before the damage: for a row to be surplus, what takes it away."""
    is_surplus: bool = False

    def damage(self, scene: Scene, first: Rows, now: Rows) -> tables.RowChange:
        """Takes the row away, or puts the row back that was there at first."""
        if not self.is_surplus:
            return tables.delete(self.key(scene, now))
        key = self.key(scene, first)
        assert key not in now
        return tables.insert(key, **first[key].values)


def missing(name: str, key: Key, *changes: tuple[str, Change]) -> list[Case]:
    return [Case(f"{name}-missing-{what}", key, change) for what, change in changes]


PUSH_AGAIN, MOVE = ("push-again", push("a", "v1")), ("move", push("b", "v1"))
ANOTHER_TAG = ("push-of-another-tag", push("a", "v2"))
UNTAG, DELETE = ("untag", untag("v1")), ("delete", delete("a"))
ALL_BUT_A = (delete("index"), delete("referrer"), delete("b"))

CASES = [
    *missing("T", tag_time("v1"), PUSH_AGAIN, MOVE, UNTAG, DELETE),
    *missing("g", tag_of("a", "v1"), PUSH_AGAIN, MOVE, UNTAG),
    *missing("M", manifest_time("a"), PUSH_AGAIN, ANOTHER_TAG, DELETE),
    *missing(
        "s",
        referrer_of("a", "referrer"),
        ("push-again", push("referrer")),
        ("delete-of-the-referrer", delete("referrer")),
    ),
    *missing(
        "c",
        child_of("a", "index"),
        ("push-again", push("index", "all")),
        ("delete-of-the-index", delete("index")),
    ),
    *missing("hw", guard(repository_rows.PUSH_GUARD), PUSH_AGAIN, MOVE, ANOTHER_TAG),
    *missing("hd", guard(repository_rows.DELETE_GUARD), UNTAG, DELETE),
    *(
        Case(f"{key}-missing-delete-of-the-last", guard(key), delete("a"), ALL_BUT_A)
        for key in (repository_rows.PUSH_GUARD, repository_rows.DELETE_GUARD)
    ),
    *(
        Case(
            f"{key}-surplus-first-push",
            guard(key),
            push("b", "v1"),
            (*ALL_BUT_A, delete("a")),
            is_surplus=True,
        )
        for key in (repository_rows.PUSH_GUARD, repository_rows.DELETE_GUARD)
    ),
    *(
        Case(f"g-surplus-{what}", tag_of("a", "v1"), change, (before,), is_surplus=True)
        for what, before, change in (
            ("push-again", untag("v1"), push("a", "v1")),
            ("delete", untag("v1"), delete("a")),
            ("move-back", push("b", "v1"), push("a", "v1")),
            ("delete-after-the-tag-moved", push("b", "v1"), delete("a")),
        )
    ),
    Case(
        "s-surplus-push-of-the-referrer",
        referrer_of("a", "referrer"),
        push("referrer"),
        (delete("referrer"),),
        is_surplus=True,
    ),
    Case(
        "c-surplus-push-of-the-index",
        child_of("a", "index"),
        push("index", "all"),
        (delete("index"),),
        is_surplus=True,
    ),
]


@pytest.mark.rule("F6")
@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(1, id="one-process", marks=pytest.mark.long),
        pytest.param(2, id="two-processes"),
    ],
    indirect=True,
)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_the_next_change_succeeds_and_the_row_is_right(
    cluster: Cluster, storage: Connection, repository: str, case: Case
) -> None:
    """With two processes, one has made what the other changes."""
    scene = Scene.make()
    sound, damaged = f"{repository}-sound", f"{repository}-damaged"
    first: dict[str, Rows] = {}
    for name in (sound, damaged):
        await scene.set(cluster, name)
        first[name] = await stored(storage, name)
        for change in case.before:
            await cluster.must(change(scene, name))
    damage = case.damage(scene, first[damaged], await stored(storage, damaged))
    await storage.table(repository_rows.TABLE).transact(keys.encode(damaged), [damage])

    last = len(cluster.servers) - 1
    expected = await cluster.at_once([case.change(scene, sound)], last)
    told = await cluster.at_once([case.change(scene, damaged)], last)
    assert told.statuses == expected.statuses, f"{told}; in the sound repository: {expected}"
    assert told.most_calls <= 2 * expected.most_calls + MENDING_CALLS, f"{told}; sound: {expected}"
    assert differences(await stored(storage, damaged), await stored(storage, sound)) == []


async def stored(storage: Connection, repository: str) -> Rows:
    """The rows of a repository by key, tombstones too."""
    found = await storage.table(repository_rows.TABLE).query(keys.encode(repository), " ", "~")
    return {row.key: row for row in found}


def differences(damaged: Rows, sound: Rows) -> list[str]:
    """What two repositories do not have in common that went through the same, at other times.

    In the place of a time stands whether it is that of the row which is listed.
    """
    left, right = Counter(_shape(damaged)), Counter(_shape(sound))
    return [
        *(f"surplus: {row}" for row in sorted((left - right).elements())),
        *(f"missing: {row}" for row in sorted((right - left).elements())),
    ]


def _shape(rows: Rows) -> Iterator[str]:
    for key, row in rows.items():
        held = _values(row) if key.startswith(_COMPARED) else {"live": bool(live(row))}
        yield f"{_timeless(key, rows)} {held}"


def _timeless(key: str, rows: Rows) -> str:
    by_time = _BY_TIME.fullmatch(key)
    if by_time is None:
        return key
    listed = rows.get(f"{key[0].lower()}:{by_time[1]}")
    if listed is None or not live(listed):
        return f"{key[:2]}of what has gone:{by_time[1]}"
    inverted = repository_rows.inverted(listed.time("Updated"))
    return f"{key[:2]}{'its own time' if inverted in key else 'another time'}:{by_time[1]}"


def _values(row: Row) -> dict[str, object]:
    return {
        name: "a time" if _is_time(value) else value
        for name, value in sorted(row.values.items())
        if name != "Stamp"
    }


def _is_time(value: object) -> bool:
    return isinstance(value, datetime) or bool(isinstance(value, str) and _TIME.fullmatch(value))
