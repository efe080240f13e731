"""What may go of the rows of a blob: pure.

The rules G1 to G4, and G11, of `docs/garbage-collection.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from registry_core.blobs import rows
from registry_core.blobs.rows import Link
from registry_core.lifecycle.backup.holds import Hold
from registry_core.lifecycle.collection.ages import Ages, is_old
from registry_core.lifecycle.collection.report import Kept, Kind, Thing
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row, RowChange

COLUMNS = ("Location", "Size", rows.RELEASED)
"""What is decided by, beside keys, versions and times."""

ManifestOf = tuple[RepositoryName, Digest]


@dataclass(frozen=True)
class Partition:
    """The rows of a digest, read in the order of their keys.

    So the content and its marker were read before the links, and these before the needs.
    """

    digest: str
    rows: Sequence[Row]

    def kind(self, prefix: str) -> list[Row]:
        """The rows whose keys begin so."""
        return [row for row in self.rows if row.key.startswith(prefix)]

    @property
    def content(self) -> Row | None:
        """The row `blob`."""
        return next((row for row in self.rows if row.key == rows.BLOB), None)

    def questions(self, as_of: datetime, ages: Ages) -> set[ManifestOf]:
        """The manifests of which it must be known whether they have gone, read from now on."""
        return {
            rows.needed_by(row.key)
            for row in self.kind(rows.NEEDS)
            if not _is_released(row) and is_old(row.timestamp, ages.change, as_of)
        }


@dataclass(frozen=True)
class Doomed:
    """An object whose time is over, and the row `x:` that says so."""

    row: Row
    location: Location
    size: int
    is_named: bool
    """Whether `blob` names it again: then the row goes, and the object stays."""


@dataclass
class Decision:
    """What may go of a partition."""

    changes: list[RowChange] = field(default_factory=list)
    """In the order in which they have to be made."""
    content: list[RowChange] = field(default_factory=list)
    """What has to be one transaction: the last of the changes."""
    things: list[Thing] = field(default_factory=list)
    """What goes with the changes."""
    doomed: list[Doomed] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    due: datetime | None = None
    """When more may go, if nothing changes."""

    @property
    def is_empty(self) -> bool:
        """Whether all stays as it is."""
        return not (self.changes or self.content or self.doomed)

    def transactions(self) -> Iterator[Sequence[RowChange]]:
        """The changes in parts that storage takes; only the last of them takes the content."""
        size = tables.MAX_TRANSACTION_ROWS
        left = list(self.changes)
        while len(left) + len(self.content) > size:
            yield left[:size]
            left = left[size:]
        if left or self.content:
            yield [*left, *self.content]

    def waits(self, changed: datetime, age: timedelta) -> None:
        """Something is not old enough."""
        self.kept.append(Kept.YOUNG)
        self.comes(changed + age)

    def comes(self, due: datetime) -> None:
        """Something may go then."""
        self.due = min(self.due or due, due)


def decide(
    found: Partition,
    gone: Collection[ManifestOf],
    as_of: datetime,
    ages: Ages,
    hold: Hold | None = None,
) -> Decision:
    """What may go. `gone` has those of `found.questions` that have gone, read after the rows.

    `hold` is that of the backups which are under way, read when `as_of` had come.
    """
    made = Decision()
    held = _needs(made, found, gone, as_of, ages)
    is_linked = _links(made, found, held, as_of, ages)
    _content(made, found, as_of, ages, is_linked=is_linked)
    _doomed(made, found, as_of, ages, hold)
    return made


def _needs(
    made: Decision,
    found: Partition,
    gone: Collection[ManifestOf],
    as_of: datetime,
    ages: Ages,
) -> set[str]:
    """G1. Answers the links that are held by what stays."""
    held = set()
    for row in found.kind(rows.NEEDS):
        repository, manifest = rows.needed_by(row.key)
        is_young = not is_old(row.timestamp, ages.change, as_of)
        if not is_young and (_is_released(row) or (repository, manifest) in gone):
            made.changes.append(tables.delete(row.key, row.etag))
            made.things.append(Thing(Kind.NEED, found.digest, row.key))
            continue
        held.add(rows.link(repository))
        if is_young:
            made.waits(row.timestamp, ages.change)
    return held


def _links(
    made: Decision, found: Partition, held: Collection[str], as_of: datetime, ages: Ages
) -> bool:
    """G2. Answers whether any link stays."""
    is_linked = False
    for row in found.kind(rows.LINKS):
        if row.key not in held and is_old(row.timestamp, ages.link, as_of):
            made.changes.append(tables.delete(row.key, row.etag))
            made.things.append(Thing(Kind.LINK, found.digest, row.key))
            continue
        is_linked = True
        if row.key in held:
            made.kept.append(Kept.NEEDED)
        else:
            made.waits(row.timestamp, ages.link)
    return is_linked


def _content(
    made: Decision, found: Partition, as_of: datetime, ages: Ages, *, is_linked: bool
) -> None:
    """G3. A marker that is missing is made again on the version of `blob` only."""
    content = found.content
    if content is None or is_linked:
        made.kept += [Kept.NEEDED] if content else []
        return
    location = Link.from_row(content).location
    doomed = rows.doomed(location)
    if any(row.key == doomed for row in found.rows):
        return  # Of an earlier time: it goes first.
    made.content = [
        tables.delete(content.key, content.etag),
        *(
            tables.delete(row.key, row.etag)
            for row in found.rows
            if row.key == rows.marker(location)
        ),
        tables.insert(doomed, Size=tables.int64(content.number("Size"))),
    ]
    made.things.append(Thing(Kind.CONTENT, found.digest, content.key))
    made.comes(as_of + ages.doomed)


def _doomed(
    made: Decision, found: Partition, as_of: datetime, ages: Ages, hold: Hold | None
) -> None:
    """G4, and G11: what was named when the hold began, or since, has been doomed after that."""
    content = found.content
    named = Link.from_row(content).location if content else None
    for row in found.kind(rows.DOOMED):
        location = rows.doomed_location(row.key)
        if hold and row.timestamp >= hold.begun:
            made.kept.append(Kept.HELD)
            made.comes(max(hold.until, row.timestamp + ages.doomed))
        elif is_old(row.timestamp, ages.doomed, as_of):
            made.doomed.append(Doomed(row, location, row.number("Size"), location == named))
        else:
            made.waits(row.timestamp, ages.doomed)


def _is_released(row: Row) -> bool:
    return row.values.get(rows.RELEASED) is True


def partitions(found: Iterable[Row]) -> Iterator[Partition]:
    """Rows of many partitions, in order, each with its own."""
    some: list[Row] = []
    for row in found:
        if some and some[0].partition != row.partition:
            yield Partition(some[0].partition, some)
            some = []
        some.append(row)
    if some:
        yield Partition(some[0].partition, some)
