"""`changeableAttributes`: in the body of a `PATCH`, and in answers."""

from __future__ import annotations

import json

from registry_core.errors import RequestInvalid
from registry_core.http import bodies
from registry_core.http.context import Context
from registry_core.model.attributes import COLUMNS, Attributes, field_of
from registry_core.model.change import SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.names import Tag

_MAX_BYTES = 64 * 1024
_FIELDS = {field_of(column): column for column in COLUMNS}
"""The columns of rows, by the fields of ACR."""


async def change(context: Context, target: Digest | Tag | None = None) -> None:
    """Sets what the body names; the rest stays as it is. Raises what `Locks.set` raises."""
    attributes = parse(await bodies.read_limited(context.request, _MAX_BYTES, "the body"))
    if attributes:
        wanted = SetAttributes(attributes, target, context.origin)
        await context.services.locks.set(context.repository, wanted, context.record)


def parse(body: bytes) -> dict[str, bool]:
    """The attributes that a body names, by column. Raises `RequestInvalid`.

    Other fields are ignored, and so is `null`, with which some clients fill what they do not set.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid("the body is not JSON") from error
    if not isinstance(document, dict):
        raise RequestInvalid("the body is not a JSON object")
    given = {field: document[field] for field in _FIELDS if document.get(field) is not None}
    for field, value in given.items():
        if not isinstance(value, bool):
            raise RequestInvalid(f"{field} is neither true nor false", detail={"field": field})
    return {_FIELDS[field]: value for field, value in given.items()}


def shown(attributes: Attributes) -> dict[str, bool]:
    """All four of them."""
    return {field: attributes.columns.get(column, True) for field, column in _FIELDS.items()}
