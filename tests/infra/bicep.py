"""Reads Bicep: a real grammar (tree-sitter's), and of its tree what the rules ask about.

There is no compiler in the registries that the project installs from. So the rules check what one
would: that all names are declared, that modules get the parameters they have, and that resources
have the properties of their types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))
_TYPED = ("parameter_declaration", "output_declaration")
_SIMPLE = re.compile("string|int|bool")


@dataclass(frozen=True)
class Expression:
    """A value that is none yet: what it says, and where in the tree."""

    text: str
    node: Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class Parameter:
    """`param name type = default`."""

    name: str
    type: str
    default: Any
    has_default: bool
    decorators: Mapping[str, Any]


@dataclass(frozen=True)
class Declared:
    """A resource or a module: its symbol, type or path, and body."""

    symbol: str
    reference: str
    body: Mapping[str, Any]
    existing: bool = False
    parent: str = ""
    """The type of the resource that it is declared in."""
    condition: str = ""
    """What has to hold for it to be made; empty for always."""

    @property
    def type_name(self) -> str:
        """Without the version; of a nested one with its parent's."""
        own = self.reference.partition("@")[0]
        return f"{self.parent}/{own}" if self.parent else own


class File:
    """One Bicep file."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.root = _PARSER.parse(text.encode()).root_node

    def faults(self) -> Iterator[str]:
        """Where the grammar does not match."""
        for node in walk(self.root):
            if node.type == "ERROR" or (node.is_missing and not self._is_parameters_file):
                row, column = node.start_point
                yield f"{self.path}:{row + 1}:{column + 1}: not Bicep: {text_of(node)[:60]!r}"

    @property
    def _is_parameters_file(self) -> bool:
        """In those, a parameter has no type, which the grammar misses."""
        return self.path.endswith(".bicepparam")

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """By name."""
        found = {}
        for node, decorators in self._statements("parameter_declaration"):
            names = [c for c in node.named_children if c.type == "identifier" and c.text]
            values = [c for c in node.named_children if c.type != "type"][1:]
            kind = next((text_of(c) for c in node.named_children if c.type == "type"), "")
            name = text_of(names[0])
            default = value_of(values[0]) if values else None
            found[name] = Parameter(name, kind, default, bool(values), decorators)
        return found

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """What each is declared as."""
        return {
            text_of(node.named_children[0]): value_of(node.named_children[-1])
            for node, _ in self._statements("variable_declaration")
        }

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """What each is declared as."""
        return {
            text_of(node.named_children[0]): value_of(node.named_children[-1])
            for node, _ in self._statements("output_declaration")
        }

    @cached_property
    def resources(self) -> Sequence[Declared]:
        """Nested ones too."""
        return [_declared(n) for n in walk(self.root) if n.type == "resource_declaration"]

    @cached_property
    def modules(self) -> Sequence[Declared]:
        """The modules it uses."""
        return [_declared(n) for n in walk(self.root) if n.type == "module_declaration"]

    @cached_property
    def own_types(self) -> frozenset[str]:
        """The types that it declares."""
        declared = self._statements("type_declaration")
        return frozenset(text_of(node.named_children[0]) for node, _ in declared)

    @cached_property
    def exported(self) -> frozenset[str]:
        """Those of them that other files may import."""
        declared = self._statements("type_declaration")
        return frozenset(text_of(n.named_children[0]) for n, told in declared if "export" in told)

    @cached_property
    def imports(self) -> Mapping[str, str]:
        """What it imports, with the file it is from."""
        return {
            text_of(name): text_of(node.named_children[-1])[1:-1]
            for node, _ in self._statements("import_functionality")
            for name in node.named_children[:-1]
        }

    def _statements(self, kind: str) -> Iterator[tuple[Node, Mapping[str, Any]]]:
        decorators: Mapping[str, Any] = {}
        for node in self.root.named_children:
            if node.type == "decorators":
                decorators = _decorators(node)
                continue
            if node.type == kind:
                yield node, decorators
            if node.type != "comment":
                decorators = {}


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def without_own_types(path: str, text: str) -> str:
    """The same for a reader that knows no types but those of the first Bicep, line by line.

    Lists are `array`, what the project declares is `object`, and declarations and imports are empty
    lines. Nothing else is changed.
    """
    written = text.encode()
    for node in reversed(list(walk(File(path, text).root))):
        if node.type in ("type_declaration", "import_functionality"):
            start = node
            while start.prev_named_sibling and start.prev_named_sibling.type == "decorators":
                start = start.prev_named_sibling
            replaced = b"\n" * written[start.start_byte : node.end_byte].count(b"\n")
            written = written[: start.start_byte] + replaced + written[node.end_byte :]
        elif node.type == "type" and node.parent and node.parent.type in _TYPED:
            kind = text_of(node)
            if kind.endswith("[]") or not _SIMPLE.fullmatch(kind):
                plain = b"array" if kind.endswith("[]") else b"object"
                written = written[: node.start_byte] + plain + written[node.end_byte :]
    return written.decode()


def text_of(node: Node) -> str:
    """As it is written."""
    return (node.text or b"").decode()


def value_of(node: Node) -> Any:  # noqa: PLR0911 - one for each kind
    """A dict, list, string, number or truth value; an `Expression` where it is none of them."""
    match node.type:
        case "object":
            return dict(_properties(node))
        case "array":
            return [value_of(child) for child in node.named_children if child.type != "comment"]
        case "string" if not any(c.type == "interpolation" for c in node.named_children):
            return text_of(node)[1:-1].replace("\\'", "'")
        case "number":
            return int(text_of(node))
        case "boolean":
            return text_of(node) == "true"
        case "null":
            return None
        case _:
            return Expression(text_of(node), node)


def _properties(node: Node) -> Iterator[tuple[str, Any]]:
    for child in node.named_children:
        if child.type != "object_property" or len(child.named_children) < 2:
            continue
        key, value = child.named_children[0], child.named_children[-1]
        yield text_of(key).strip("'"), value_of(value)


def _declared(node: Node) -> Declared:
    symbol, reference = node.named_children[:2]
    bodies = [n for n in walk(node.named_children[-1]) if n.type == "object"]
    parent, above = "", node.parent
    while above is not None and not parent:
        if above.type == "resource_declaration":
            parent = _declared(above).type_name
        above = above.parent
    last = node.named_children[-1]
    conditions = [n for n in last.children if n.type == "parenthesized_expression"]
    return Declared(
        text_of(symbol),
        text_of(reference)[1:-1],
        dict(_properties(bodies[0])),
        existing=any(c.type == "existing" for c in node.children),
        parent=parent,
        condition=text_of(conditions[0])[1:-1] if last.type == "if_statement" else "",
    )


def _decorators(node: Node) -> Mapping[str, Any]:
    found = {}
    for decorator in node.named_children:
        call = decorator.named_children[0]
        arguments = call.named_children[-1].named_children
        found[text_of(call.named_children[0])] = value_of(arguments[0]) if arguments else True
    return found
