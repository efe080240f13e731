"""What one part of the registry leaves for another to do later: the text of a queue's message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from registry_core.errors import RegistryError
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName

VERSION = 1
"""Of the text. Messages wait for days, so a release reads those of the release before."""


class Kind(StrEnum):
    """What is to be done."""

    FREED = "freed"
    """To collect what a deletion has freed: the digests, and what it left of the repository."""


@dataclass(frozen=True)
class Message:
    """Something to be done with digests of a repository, from a time on."""

    kind: Kind
    repository: RepositoryName
    digests: tuple[Digest, ...]
    due: datetime

    @classmethod
    def parse(cls, text: str) -> Message:
        """The message that `str()` wrote. Raises `ValueError`."""
        try:
            document = json.loads(text)
            if document["version"] != VERSION:
                raise ValueError(f"version {document['version']} is not known here")
            due = datetime.fromisoformat(document["due"])
            if due.tzinfo is None:
                raise ValueError("the time has no zone")
            return cls(
                Kind(document["kind"]),
                RepositoryName.parse(document["repository"]),
                tuple(map(Digest.parse_foreign, document["digests"])),
                due,
            )
        except (KeyError, TypeError, AttributeError, RecursionError, RegistryError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def __str__(self) -> str:
        document = {
            "version": VERSION,
            "kind": self.kind,
            "repository": self.repository.text,
            "digests": list(map(str, self.digests)),
            "due": self.due.isoformat(),
        }
        return json.dumps(document, separators=(",", ":"))

    def split(self, size: int) -> Iterator[Message]:
        """The same in as many messages as it takes for none to have more than `size` bytes."""
        if len(str(self).encode()) <= size or len(self.digests) < 2:
            yield self
            return
        half = len(self.digests) // 2
        for digests in (self.digests[:half], self.digests[half:]):
            yield from replace(self, digests=digests).split(size)
