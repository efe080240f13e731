"""Table `blobs`: how the rows of a digest are spelt; and how its objects are named.

Partition = digest, so that whether a blob exists, is linked and is needed changes in one
transaction.

blob           the content: where it lies, its size
b:<location>   a marker beside it, which is merged on the condition that it exists
l:<repo>       a link: the repository may read the blob
r:<repo>:<manifest digest>   the manifest needs the blob; `Released` when it has been deleted
x:<location>   an object to be deleted
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import keys, tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row

TABLE = "blobs"
CONTAINER = "content"
"""The container of every blob, and of every upload on its way to be one."""
BLOB = "blob"
"""The row of a digest's content."""
LINKS = "l:"
"""What the rows of the repositories that may read a blob begin with."""
MARKERS, NEEDS, DOOMED = "b:", "r:", "x:"
"""What markers, the rows of manifests that need a blob, and those of doomed objects begin with."""
FIRST, END = MARKERS, f"{DOOMED[:-1]};"
"""The bounds of all rows. Their order is that in which collection must read them."""
COMMITTED_AS = "digest"
"""The metadata of an object that says which blob its upload was committed as."""
UPLOADS = "uploads/"
"""What the name of each object begins with: a folder for each day follows."""
RELEASED = "Released"
"""True in a row `r:` whose manifest was deleted and has not been pushed since."""
GOING = "Going"
"""The time from which a link is being deleted; it is told to nobody who pulls meanwhile."""


@dataclass(frozen=True)
class Link:
    """A repository's permission to read a blob: where it lies, its size, the link's last touch."""

    location: Location
    size: int
    timestamp: datetime | None = None
    """None where nobody asks for its age."""
    going: datetime | None = None
    """Since when it is being deleted; None if it is not."""

    @classmethod
    def from_row(cls, row: Row) -> Link:
        """The link in a row `l:`, or the content in a row `blob`."""
        going = row.time(GOING) if row.text(GOING) else None
        return cls(Location.parse(row.text("Location")), row.number("Size"), row.timestamp, going)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The columns `Location` and `Size`."""
        return {"Location": str(self.location), "Size": tables.int64(self.size)}


LINK_COLUMNS = ("Location", "Size", GOING)
"""What `Link` is read from."""


def marker(location: Location) -> str:
    """`b:<location>`."""
    return f"{MARKERS}{keys.encode(str(location))}"


def link(name: RepositoryName) -> str:
    """`l:<repo>`."""
    return f"{LINKS}{keys.encode(name.text)}"


def linked(key: str) -> RepositoryName:
    """The repository of a row `l:<repo>`."""
    return RepositoryName(keys.decode(key.removeprefix(LINKS)))


def requirements(name: RepositoryName) -> str:
    """`r:<repo>:`, what the rows of the manifests of a repository that need a blob begin with."""
    return f"{NEEDS}{keys.encode(name.text)}:"


def requirement(name: RepositoryName, needed_by: Digest) -> str:
    """`r:<repo>:<manifest digest>`."""
    return f"{requirements(name)}{needed_by}"


def doomed(location: Location) -> str:
    """`x:<location>`: an object that no row names any more, to be deleted."""
    return f"{DOOMED}{keys.encode(str(location))}"


def needed_by(key: str) -> tuple[RepositoryName, Digest]:
    """The repository and the manifest of a row `r:<repo>:<manifest digest>`."""
    _, repository, digest = key.split(":", 2)
    return RepositoryName(keys.decode(repository)), Digest(*digest.split(":", 1))


def doomed_location(key: str) -> Location:
    """The location in a row `x:<location>`."""
    return Location.parse(keys.decode(key.removeprefix(DOOMED)))


def upload_object(day: date, upload_id: uuid.UUID) -> str:
    """`uploads/<yyyy-mm-dd>/<uuid>`: the object that an upload writes, and the blob stays in."""
    return f"{uploads_of(day)}{upload_id}"


def uploads_of(day: date) -> str:
    """`uploads/<yyyy-mm-dd>/`: the folder of the uploads that were begun on a day."""
    return f"{UPLOADS}{day.isoformat()}/"


def day_of(folder: str) -> date:
    """The day of such a folder."""
    return date.fromisoformat(folder.removeprefix(UPLOADS).removesuffix("/"))
