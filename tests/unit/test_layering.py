"""The rules of layering, held against the imports of every module, wherever they stand in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = "registry_core"

ROOMS = {
    "auth",
    "lifecycle",
    "repositories",
    "blobs",
    "access",
    "storage",
    "model",
    "errors",
    "settings",
}
# For each part of the core, the parts that its modules may import besides those of its own.
ALLOWED = {
    "": set[str](),
    "errors": set[str](),
    "settings": {"errors", "model"},
    "model": {"errors"},
    "storage": {"model", "errors", "settings"},
    "access": {"storage", "model", "errors", "settings"},
    "blobs": {"storage", "model", "errors", "settings"},
    "repositories": {"blobs", "storage", "model", "errors", "settings"},
    "auth": {"access", "storage", "model", "errors", "settings"},
    "lifecycle": {
        *("system", "repositories", "blobs", "access", "storage", "model", "errors", "settings"),
    },
    "system": {"repositories", "blobs", "access", "storage", "errors"},
    "registry": {*ROOMS, "system"},
    "http": {*ROOMS, "registry", "system"},
}
# For each library of the platform, the parts that may know it, and single modules with what they
# may know of it.
LIBRARIES = {
    "azurefunctions": set[str](),
    "azure.functions": set[str](),
    "azure": {"storage"},
    "starlette": {"http"},
}
EXCEPTIONS = {
    "registry_core.auth.entra": {"azure.core", "azure.identity"},
}
MAX_STATEMENTS = 3

# How rows are spelt, for each table by the module that alone knows it.
KEYS = {
    "registry_core.repositories.rows.keys": {
        *("h", "hw", "hd", "hu", "hr", "u"),
        *("m:", "t:", "g:", "T:", "M:", "c:", "s:", "d:", "DM:", "DT:"),
    },
    "registry_core.blobs.rows": {"blob", "l:", "r:", "x:", "b:"},
}
FILTERS = {"PartitionKey", "RowKey"}
FILTERING = {"registry_core.storage.tables", "registry_core.storage.entities"}
"""The modules that know how rows and filters are spelt on the wire."""
# Modules that mean something else by the same text: a unit of time, an element of a hash's state,
# a service of an account, a kind of route, a word for people.
HOMONYMS = {
    "registry_core.settings.storage": {"blob"},
    "registry_core.settings.values": {"h"},
    "registry_core.lifecycle.retention.policy": {"h"},
    "registry_core.blobs.hashing": {"h"},
    "registry_core.storage.calls": {"blob"},
    "registry_core.http.v2.routes": {"blob"},
    "registry_core.lifecycle.backup.places": {"blob"},
    "slipway_cli.output.cells": {"h"},
    "slipway_cli.fsck": {"blob"},
    "slipway_cli.push.archive": {"blob"},
}


def module_name(path: Path) -> str:
    """The module's name; a package's ends in `__init__`, so that relative imports resolve."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def sources(package: str) -> dict[str, str]:
    """The source of each module of a package."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return {module_name(path): path.read_text(encoding="utf-8") for path in paths}


SOURCES = sources(CORE)
PRODUCT = SOURCES | sources("functions") | sources("slipway_cli")


def imports(name: str, source: str) -> Iterator[str]:
    """Every module that `source` imports, and every name it imports from one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*name.split(".")[: -node.level], *filter(None, [base])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str:
    """The part of the core that a module, or a name in it, belongs to; empty for the top."""
    below = name.split(".")[1:]
    return below[0] if below and below[0] in ALLOWED else ""


def within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def refusal(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported`; None if it may."""
    part = part_of(importer)
    if within(imported, CORE):
        target = part_of(imported)
        fine = target in {"", part} or target in ALLOWED[part]
        return None if fine else f"{importer} imports {imported}, which is not below it"
    if any(within(imported, known) for known in EXCEPTIONS.get(importer, ())):
        return None
    library = next((name for name in LIBRARIES if within(imported, name)), None)
    if library is None or part in LIBRARIES[library]:
        return None
    return f"{importer} knows of {imported}"


def violations(name: str, source: str) -> list[str]:
    found = (refusal(name, imported) for imported in imports(name, source))
    return [text for text in found if text]


def error_body_literals(source: str) -> list[int]:
    """The lines on which an error body's only key is spelt out."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and node.value == "errors"
    ]


def texts(source: str) -> Iterator[tuple[str, bool]]:
    """Every text that is spelt, with whether more follows it: in an f-string, or by `+`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin1"), False
        elif isinstance(node, ast.JoinedStr):
            first = node.values[0] if node.values else None
            if isinstance(first, ast.Constant):
                yield str(first.value), True
        elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
            yield str(node.left.value), True


def spelt(name: str, source: str) -> list[str]:
    """The keys of rows, and the bounds of filters, that a module spells and another one owns."""
    found = set[str]()
    for text, goes_on in texts(source):
        for owner, keys in KEYS.items():
            prefixes = {key for key in keys if key.endswith(":")}
            begun = {key for key in prefixes if text.startswith(key) and (goes_on or text == key)}
            # A whole key, as `t:latest` is, without the words that follow a colon in a sentence.
            whole = {key for key in prefixes if text.startswith(key) and " " not in text}
            exact = {text} & keys
            if name != owner:
                found |= begun | whole | exact - HOMONYMS.get(name, set())
        if name not in FILTERING:
            found |= {word for word in FILTERS if word in text}
    return sorted(found)


def too_long(source: str) -> list[str]:
    """The functions that do more than wiring."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and sum(isinstance(child, ast.stmt) for child in ast.walk(node)) - 1
        > MAX_STATEMENTS + (ast.get_docstring(node) is not None)
    ]


def test_every_module_belongs_to_a_part_that_has_a_rule() -> None:
    assert len(SOURCES) > 20
    assert {name for name in SOURCES if not part_of(name)} == {f"{CORE}.__init__"}


@pytest.mark.parametrize("name", SOURCES)
def test_dependencies_point_downwards_only(name: str) -> None:
    assert violations(name, SOURCES[name]) == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name != f"{CORE}.errors"])
def test_only_one_module_builds_error_bodies(name: str) -> None:
    assert error_body_literals(SOURCES[name]) == []


@pytest.mark.parametrize("name", PRODUCT)
def test_only_one_module_a_table_spells_its_keys_and_one_all_filters(name: str) -> None:
    assert spelt(name, PRODUCT[name]) == []


def test_what_spells_keys_and_filters_is_where_the_rule_says() -> None:
    for owner, keys in KEYS.items():
        assert set(spelt("elsewhere", PRODUCT[owner])) >= keys
    for owner in FILTERING:
        assert set(spelt("elsewhere", PRODUCT[owner])) >= FILTERS
    for name, words in HOMONYMS.items():
        assert {text for text, _ in texts(PRODUCT[name])} >= words, name


def test_the_core_is_usable_without_the_function_app() -> None:
    everything = {name for module in SOURCES for name in imports(module, SOURCES[module])}
    assert not [name for name in everything if within(name, "function_app")]
    assert not [name for name in everything if within(name, "devhost")]
    assert not [name for name in everything if within(name, "tests")]


def test_the_function_app_only_wires() -> None:
    assert too_long((ROOT / "function_app.py").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.x", "import registry_core.storage.keys"),
        ("model.x", "from registry_core import settings"),
        ("model.x", "from ..storage import keys"),
        ("model.__init__", "from ..storage import keys"),
        ("model.x", "def f():\n    from registry_core.storage import keys"),
        (
            "storage.x",
            "import typing\nif typing.TYPE_CHECKING:\n    from registry_core.http import edge",
        ),
        ("storage.x", "from registry_core.auth.policy import decide"),
        ("storage.x", "from registry_core.registry import Registry"),
        ("storage.x", "try:\n    import starlette.requests as r\nexcept ImportError:\n    pass"),
        ("auth.x", "from registry_core.http.query import Query"),
        ("auth.x", "import azure.core.exceptions"),
        ("lifecycle.x", "from registry_core.registry import Registry"),
        ("lifecycle.x", "from registry_core.auth import basic"),
        ("errors", "from registry_core.model.digest import Digest"),
        ("errors", "from .settings import Settings"),
        ("settings", "from registry_core.storage.keys import tag"),
        ("registry", "from registry_core.http import routes"),
        ("registry", "import azure.storage.blob"),
        ("http.x", "import azure.functions as func"),
        ("http.x", "from azurefunctions.extensions.http.fastapi import Request"),
        ("http.x", "from azure.core.exceptions import AzureError"),
        ("auth.entra", "from azure.data.tables import TableClient"),
        ("storage.x", "from azure import functions"),
    ],
)
def test_the_check_finds_a_forbidden_import(module: str, source: str) -> None:
    assert len(violations(f"{CORE}.{module}", source)) == 1


@pytest.mark.parametrize(
    ("source", "key"),
    [
        *((f'key = "{key}"', key) for keys in KEYS.values() for key in sorted(keys)),
        ('key = f"m:{digest}"', "m:"),
        ('key = f"t:v{number}"', "t:"),
        ('key = "g:" + digest', "g:"),
        ('key = "t:latest"', "t:"),
        ('key = "c:%s" % digest', "c:"),
        ('key = "r:{}".format(name)', "r:"),
        ('key = f"l:{name}"', "l:"),
        ('key = f"x:{location}"', "x:"),
        ('def f():\n    return key.startswith(("m:", other))', "m:"),
        ('row = rows["hw"]', "hw"),
        ('f(first="b:")', "b:"),
        ('text = "PartitionKey eq @partition"', "PartitionKey"),
        ("text = f\"RowKey ge '{first}'\"", "RowKey"),
        ('text = f"{more} and RowKey lt @end"', "RowKey"),
        ('entity = {"RowKey": key}', "RowKey"),
    ],
)
def test_the_check_finds_a_key_or_a_filter_spelt_elsewhere(source: str, key: str) -> None:
    assert spelt(f"{CORE}.repositories.x", source) == [key]


@pytest.mark.parametrize(
    "source",
    [
        "key = rows.manifest_key(digest)",
        'text = "sha256:abc"',
        'text = "host"',
        'text = f"{name}: m: is missing"',
        '"""s: a word that ends a line\nand another."""',
        'error = "t: no such tag"',
    ],
)
def test_the_check_lets_other_texts_pass(source: str) -> None:
    assert spelt(f"{CORE}.repositories.x", source) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.x", "from registry_core.model import media_types\nimport json"),
        ("model.x", "from .digest import Digest\nfrom ..errors import NameInvalid"),
        (
            "storage.x",
            "from azure.data.tables import TableClient\nfrom registry_core import errors",
        ),
        ("http.x", "from starlette.responses import Response\nimport registry_core.registry"),
        ("registry", "from registry_core.blobs.uploads import Uploads"),
    ],
)
def test_the_check_lets_allowed_imports_pass(module: str, source: str) -> None:
    assert violations(f"{CORE}.{module}", source) == []


def test_the_check_finds_an_error_body_built_elsewhere() -> None:
    assert error_body_literals('x = 1\nbody = {"errors": []}') == [2]


def test_the_check_finds_a_function_that_does_more_than_wiring() -> None:
    body = "\n".join(f"        x = {n}" for n in range(MAX_STATEMENTS))
    assert too_long(f'def f(y):\n    """Doc."""\n    if y:\n{body}\n') == ["f"]
    assert too_long('def f(y):\n    """Doc."""\n    x = 1\n    y = 2\n    return x\n') == []
