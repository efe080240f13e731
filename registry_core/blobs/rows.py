"""Table `blobs`: how the rows of a digest are spelt; and how its objects are named.

Partition = digest. `blob`: the content · `l:<repo>`: the repository may read it ·
`r:<repo>:<manifest digest>`: the manifest needs it · `x:<location>`: an object to be deleted.
"""

from __future__ import annotations

import uuid
from datetime import date

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import keys
from registry_core.storage.objects import Location

TABLE = "blobs"
CONTAINER = "content"
"""The container of every blob, and of every upload on its way to be one."""
BLOB = "blob"
"""The row of a digest's content."""
LINKS = "l:"
"""What the rows of the repositories that may read a blob begin with."""


def link(name: RepositoryName) -> str:
    """`l:<repo>`."""
    return f"{LINKS}{keys.encode(name.text)}"


def requirements(name: RepositoryName) -> str:
    """`r:<repo>:`, what the rows of the manifests of a repository that need a blob begin with."""
    return f"r:{keys.encode(name.text)}:"


def requirement(name: RepositoryName, needed_by: Digest) -> str:
    """`r:<repo>:<manifest digest>`."""
    return f"r:{keys.encode(name.text)}:{needed_by}"


def doomed(location: Location) -> str:
    """`x:<location>`: an object that no row names any more, to be deleted."""
    return f"x:{keys.encode(str(location))}"


def upload_object(day: date, upload_id: uuid.UUID) -> str:
    """`uploads/<yyyy-mm-dd>/<uuid>`: the object that an upload writes, and the blob stays in."""
    return f"uploads/{day.isoformat()}/{upload_id}"
