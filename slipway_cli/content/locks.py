"""Locks as people see them, and which of several decides."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from registry_core.model.attributes import Attributes, Target, Use
from slipway_cli.output.cells import Names
from slipway_cli.registry.client import Client, document_of, repository_scope

_FIELDS = {
    "write": "writeEnabled",
    "delete": "deleteEnabled",
    "read": "readEnabled",
    "list": "listEnabled",
}
"""What is locked by which attribute, if that is false."""
_USUAL = ("write", "delete")

Shown = Mapping[str, Any]
"""`changeableAttributes`, as the registry shows them."""


def locked(attributes: Shown) -> Names:
    """What is locked: `write, delete`."""
    return Names([name for name, text in _FIELDS.items() if attributes.get(text) is False])


async def change(
    client: Client, path: str, repository: str, arguments: argparse.Namespace, *, to: bool
) -> dict[str, Any]:
    """Sets what the arguments chose to true or false; answers the whole document."""
    chosen = arguments.locks or _USUAL
    body = {_FIELDS[name]: to for name in chosen}
    scope = repository_scope(repository, "metadata_write", "metadata_read")
    return document_of(await client.request("PATCH", path, scope, body))


@dataclass(frozen=True)
class Around:
    """The locks that are about one manifest: any of them that forbids something decides."""

    repository: Shown = field(default_factory=dict)
    manifest: Shown = field(default_factory=dict)
    tags: Mapping[str, Shown] = field(default_factory=dict)

    def forbidding(self, use: Use) -> Iterator[str]:
        """Each lock that forbids a use: `tag v1 is locked (delete)`."""
        for target, name, shown in self._all():
            column = _attributes(shown).forbidding(target, use)
            if column:
                what = column.removesuffix("Enabled").lower()
                yield f"{f'{target.value} {name}'.strip()} is locked ({what})"

    def _all(self) -> Iterator[tuple[Target, str, Shown]]:
        yield Target.REPOSITORY, "", self.repository
        yield Target.MANIFEST, "", self.manifest
        for name, shown in self.tags.items():
            yield Target.TAG, name, shown


def _attributes(shown: Shown) -> Attributes:
    return Attributes(
        *(shown.get(_FIELDS[name]) is not False for name in ("delete", "write", "read", "list"))
    )


def verdict(reasons: Iterator[str]) -> str:
    """Whether something may be done: `yes`, or `no: ` and every lock that forbids it."""
    found = list(reasons)
    return f"no: {', '.join(found)}" if found else "yes"
