"""What must be true of the rows of a digest, in table `blobs`: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from registry_core.blobs import rows
from registry_core.blobs.rows import Link
from registry_core.model.invariants import Finding, Invariant
from registry_core.storage.tables import Row


def check_links(digest: str, present: Mapping[str, Row]) -> Iterator[Finding]:
    """Every link leads to where the blob lies, and markers are there for that place alone."""
    content = present.get(rows.BLOB)
    links = {key: row for key, row in present.items() if key.startswith(rows.LINKS)}
    if content is None:
        if links:
            yield Finding(
                Invariant.CONTENT_ROW,
                rows.BLOB,
                f"it is linked by {_count(links)}, and there is no such blob",
                digest=digest,
            )
        return
    known = Link.from_row(content)
    for key, row in links.items():
        link = Link.from_row(row)
        if (link.location, link.size) != (known.location, known.size):
            text = "the link leads elsewhere than the row of the blob, or tells another size"
            yield Finding(Invariant.LOCATIONS, key, text, digest=digest)
    marker = rows.marker(known.location)
    if marker not in present:
        yield Finding(Invariant.MARKERS, marker, "the marker is missing", digest=digest)
    for key in present:
        if key.startswith(rows.MARKERS) and key != marker:
            text = "a marker of a place where the blob does not lie"
            yield Finding(Invariant.MARKERS, key, text, digest=digest)


def _count(links: Mapping[str, Row]) -> str:
    return "a repository" if len(links) == 1 else f"{len(links)} repositories"
