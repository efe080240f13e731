"""What is in a container, as storage lists it ("List Blobs", Azure Storage REST reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self

from registry_core.storage.calls import Answer
from registry_core.storage.faults import Ambiguous

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class Listed:
    """An object, as a list tells of it."""

    name: str
    size: int
    etag: str
    modified: datetime
    """Storage's own time of the last change, in whole seconds."""
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Contents:
    """A page of a list."""

    objects: Sequence[Listed]
    folders: Sequence[str]
    following: str
    """Where the next page begins; empty after the last."""

    @classmethod
    def parse(cls, answer: Answer) -> Self:
        """The page in an answer. Raises `Ambiguous` for what is none: it is not storage's."""
        # Only collection lists objects: no other instance has to load this.
        from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415

        try:
            root = fromstring(answer.body)  # noqa: S314 - storage's own answer
            objects = [_listed(each) for each in root.iterfind("Blobs/Blob")]
        except (ParseError, ValueError) as error:
            raise Ambiguous("storage's answer is no list of objects") from error
        if root.tag != "EnumerationResults":
            raise Ambiguous("storage's answer is no list of objects")
        folders = [_text(each, "Name") for each in root.iterfind("Blobs/BlobPrefix")]
        return cls(objects, folders, root.findtext("NextMarker") or "")


def _listed(blob: Element) -> Listed:
    modified = parsedate_to_datetime(_text(blob, "Properties/Last-Modified"))
    etag = _text(blob, "Properties/Etag")
    metadata = blob.find("Metadata")
    return Listed(
        name=_text(blob, "Name"),
        size=int(_text(blob, "Properties/Content-Length")),
        # In a list it stands without the quotation marks that a condition on it needs.
        etag=etag if etag.startswith('"') else f'"{etag}"',
        modified=modified.replace(tzinfo=modified.tzinfo or UTC),
        metadata={
            each.tag.lower(): each.text or "" for each in (() if metadata is None else metadata)
        },
    )


def _text(element: Element, path: str) -> str:
    text = element.findtext(path)
    if not text:
        raise ValueError(f"there is no {path}")
    return text
