"""What a compiler would refuse: names that nothing declares, parameters that a module lacks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from tree_sitter import Node

from tests.infra import resource_types
from tests.infra.bicep import File, text_of, walk
from tests.infra.templates import Templates

_FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """any array concat contains empty endsWith environment fail filter first flatten format
        guid if indexOf int intersection items join json last length lastIndexOf
        loadTextContent map max min newGuid
        padLeft range readEnvironmentVariable reduce reference replace resourceGroup resourceId skip
        sort split startsWith string subscription subscriptionResourceId substring take tenant
        toLower toObject toUpper trim union uniqueString uri utcNow""",
    )
)
_DECLARATIONS = (
    "parameter_declaration",
    "type_declaration",
    "variable_declaration",
    "resource_declaration",
    "module_declaration",
    "output_declaration",
    "decorator",
)


_LOOSE = re.compile(r"\b(array|object)\b")


def syntax(templates: Templates) -> Iterator[str]:
    """Every Bicep file matches the grammar."""
    for path in templates.texts:
        if path.endswith((".bicep", ".bicepparam")):
            yield from templates.file(path).faults()


def names(templates: Templates) -> Iterator[str]:
    """Every name in an expression is declared, and every parameter and variable is used."""
    for file in templates.modules():
        declared = {
            *file.parameters,
            *file.variables,
            *file.own_types,
            *file.imports,
            *(each.symbol for each in (*file.resources, *file.modules)),
        }
        used = set()
        for node in walk(file.root):
            if node.type == "identifier" and _is_use(node):
                name = text_of(node)
                used.add(name)
                if name not in declared and name not in _bound(node):
                    yield f"{file.path}:{node.start_point[0] + 1}: {name} is not declared"
        for name in (file.parameters.keys() | file.variables.keys() | file.imports.keys()) - used:
            yield f"{file.path}: {name} is never used"
        for name, source in file.imports.items():
            path = posixpath.join(posixpath.dirname(file.path), source)
            if path not in templates.texts or name not in templates.file(path).exported:
                yield f"{file.path}: {source} exports no {name}"


def shadows(templates: Templates) -> Iterator[str]:
    """No loop or lambda names what the file, or the language, has already named."""
    for file in templates.modules():
        declared = {
            *file.parameters,
            *file.variables,
            *(each.symbol for each in (*file.resources, *file.modules)),
        }
        for node in walk(file.root):
            if node.type in ("for_statement", "lambda_expression"):
                for name in _variables(node):
                    if name in declared or name in _FUNCTIONS:
                        yield f"{file.path}:{node.start_point[0] + 1}: {name} hides another"


def typed(templates: Templates) -> Iterator[str]:
    """No parameter or output is just an array or an object: the compiler checks who gives it."""
    for file in templates.modules():
        for node in walk(file.root):
            if node.type in ("parameter_declaration", "output_declaration", "type_declaration"):
                for part in node.named_children:
                    if part.type.endswith("type") and _LOOSE.search(text_of(part)):
                        name = text_of(node.named_children[0])
                        yield f"{file.path}: {name} is of any {text_of(part)}; say of what"


def modules(templates: Templates) -> Iterator[str]:
    """Every module exists, and gets its parameters: all it needs, and no others."""
    for file in templates.modules():
        for module in file.modules:
            path = posixpath.join(posixpath.dirname(file.path), module.reference)
            if path not in templates.texts:
                yield f"{file.path}: there is no module {module.reference}"
                continue
            callee = templates.file(path)
            given = module.body.get("params", {})
            for name in sorted(given.keys() - callee.parameters.keys()):
                yield f"{file.path}: {module.symbol} has no parameter {name}"
            for name, parameter in callee.parameters.items():
                if not parameter.has_default and name not in given:
                    yield f"{file.path}: {module.symbol} needs the parameter {name}"
        yield from _outputs(templates, file)


def secrets(templates: Templates) -> Iterator[str]:
    """A parameter that carries a secret is marked as one wherever it goes."""
    for file in templates.modules():
        for name, parameter in file.parameters.items():
            is_secret = "password" in name.lower() and parameter.type == "string"
            if is_secret and "secure" not in parameter.decorators:
                yield f"{file.path}: {name} is a secret without @secure()"


def types(templates: Templates) -> Iterator[str]:
    """Every resource has the properties of its type, in the version that they are known of."""
    for file in templates.modules():
        for resource in file.resources:
            if not resource.existing:
                for fault in resource_types.faults(resource):
                    yield f"{file.path}: {fault}"


def _outputs(templates: Templates, file: File) -> Iterator[str]:
    """`module.outputs.name` names an output that the module has."""
    paths = {
        m.symbol: posixpath.join(posixpath.dirname(file.path), m.reference) for m in file.modules
    }
    for node in walk(file.root):
        if node.type != "member_expression":
            continue
        parts = text_of(node).replace("!", "").split(".outputs.")
        symbol = parts[0].partition("[")[0]
        if len(parts) != 2 or symbol not in paths or not parts[1].isidentifier():
            continue
        if paths[symbol] in templates.texts:
            outputs: Mapping[str, object] = templates.file(paths[symbol]).outputs
            if parts[1] not in outputs:
                yield f"{file.path}: {symbol} has no output {parts[1]}"


def _is_use(node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type in ("ERROR", "import_functionality"):
        return False
    first = parent.named_children[0] == node
    if parent.type in _DECLARATIONS or parent.type == "object_property":
        return not first
    if parent.type == "call_expression":
        return not (first and (text_of(node) in _FUNCTIONS or _decorates(parent)))
    if parent.type in ("lambda_expression", "for_statement"):
        return not first
    if parent.type == "resource_expression":  # symbol::nested; the symbol is checked.
        return first
    return True


def _decorates(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "decorator"


def _bound(node: Node) -> Iterator[str]:
    """What loops and lambdas around the node declare."""
    above = node.parent
    while above is not None:
        if above.type in ("for_statement", "lambda_expression"):
            yield from _variables(above)
        above = above.parent


def _variables(node: Node) -> Iterator[str]:
    """What one loop or lambda declares."""
    if node.type == "lambda_expression":
        yield text_of(node.named_children[0])
        return
    for child in walk(node.named_children[0]):
        if child.type in ("identifier", "loop_variable", "loop_enumerator"):
            yield text_of(child)
