"""What Azure's resource types have for properties: `resource_types.json`, fetched once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.infra.bicep import Declared, Expression

FILE = Path(__file__).with_name("resource_types.json")
ANY_NAME = "*"
"""The property that stands for those whose names a template chooses."""
_ANYWHERE = {"scope", "parent", "dependsOn", "name", "location", "tags"}
"""What the language adds to every resource, and what nested types inherit."""
_NOT_YET_KNOWN = {"siteScopedCertificatesEnabled", "siteUpdateStrategy"}
"""What Azure takes and its types of the versions used here do not have; BCP037 is off for each."""


NEWER = {
    "Microsoft.KeyVault": "2025-05-01",
    "Microsoft.Network": "2025-07-01",
    "Microsoft.Storage": "2025-06-01",
    "Microsoft.Web": "2025-03-01",
}
"""What the templates use of these where the source has only an older version. What they set was
looked up in Microsoft's own clients for Python (azure-mgmt-…), and is all still there."""


@cache
def _document() -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(FILE.read_text())
    return document


def unknown() -> frozenset[str]:
    """Types whose properties the source does not tell."""
    return frozenset(_document()["unknown"])


def version(type_name: str) -> str:
    """The API version that the properties are of."""
    return str(_document()["types"][type_name]["version"])


def faults(resource: Declared) -> Iterator[str]:
    """Properties that the type does not have, values it does not allow, and those that it needs."""
    known = _document()["types"].get(resource.type_name)
    if known is None:
        if resource.type_name not in unknown():
            yield f"{resource.type_name}: not in {FILE.name}; run fetch_resource_types.py"
        return
    bodies = known["bodies"]
    named = [b for b in bodies if b["name"]["type"] == resource.body.get("name")]
    body = (named or bodies)[0]
    yield from _object(resource.symbol, resource.body, body, known["objects"], top=True)


def _object(
    path: str,
    value: Mapping[str, Any],
    properties: Mapping[str, Any],
    objects: Mapping[str, Any],
    *,
    top: bool = False,
) -> Iterator[str]:
    for key, inner in value.items():
        if key not in properties and ANY_NAME in properties:
            yield from _value(f"{path}.{key}", inner, properties[ANY_NAME]["type"], objects)
        elif key in properties:
            if properties[key].get("ReadOnly"):
                yield f"{path}.{key}: is read only"
            yield from _value(f"{path}.{key}", inner, properties[key]["type"], objects)
        elif not (top and key in _ANYWHERE) and key not in _NOT_YET_KNOWN:
            yield f"{path}.{key}: the type has no such property"
    needed = {key for key, told in properties.items() if told.get("Required")}
    for key in sorted(needed - value.keys() - (_ANYWHERE if top else set())):
        yield f"{path}.{key}: is required"


def _value(path: str, value: Any, kind: str, objects: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, Expression) or value is None:
        return
    if isinstance(value, Mapping):
        if objects.get(kind):
            yield from _object(path, value, objects[kind], objects)
        elif kind in ("string", "int", "bool"):
            yield f"{path}: an object, where the type wants {kind}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value(f"{path}[{index}]", item, kind.removesuffix("[]"), objects)
    elif isinstance(value, bool):
        if kind in ("string", "int"):
            yield f"{path}: a truth value, where the type wants {kind}"
    elif isinstance(value, str):
        yield from _literal(path, value, kind)


def _literal(path: str, value: str, kind: str) -> Iterator[str]:
    # "A | B | string" means that others may come to be: the compiler warns, and so do we.
    choices = {part.strip().strip("'") for part in kind.split("|")} - {"string"}
    if kind in ("int", "bool"):
        yield f"{path}: a string, where the type wants {kind}"
    elif "|" in kind and value not in choices:
        yield f"{path}: {value!r} is none of {', '.join(sorted(choices))}"
    elif "/" in kind and re.fullmatch(r"Microsoft\.[\w/]+", kind) and value != kind:
        yield f"{path}: {value!r}, where the type wants {kind}"
