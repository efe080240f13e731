"""Computes what expressions of main.bicep come to for given parameters: the part that they use.

Whole numbers are divided as Bicep does it, without a rest.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from tree_sitter import Node

from tests.infra.bicep import Expression, File, text_of, value_of

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda one, other: int(one / other),
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&&": lambda one, other: one and other,
    "||": lambda one, other: one or other,
}


def _union(one: Any, other: Any) -> Any:
    return {**one, **other} if isinstance(one, Mapping) else list(dict.fromkeys([*one, *other]))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "any": lambda value: value,
    "empty": lambda value: not value,
    "filter": lambda values, keeps: [each for each in values if keeps(each)],
    "indexOf": lambda values, value: values.index(value) if value in values else -1,
    "join": lambda values, separator: separator.join(values),
    "length": len,
    "max": max,
    "min": min,
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, separator: text.split(separator),
    "string": str,
    "toLower": str.lower,
    "trim": str.strip,
    "union": _union,
}


class Evaluation:
    """One deployment: the file with the parameters that it is given, and else their defaults."""

    def __init__(self, file: File, **given: Any) -> None:
        self._file = file
        self._given = given

    def variable(self, name: str) -> Any:
        """What a variable comes to."""
        return self._value(self._file.variables[name], {})

    def broken(self) -> list[str]:
        """The conditions that do not hold."""
        (conditions,) = (m for m in self._file.modules if m.symbol == "conditions")
        held = conditions.body["params"]
        return [name for name, condition in held.items() if not self._value(condition, {})]

    def _value(self, value: Any, local: Mapping[str, Any]) -> Any:
        if isinstance(value, Expression):
            return self._node(value.node, local)
        if isinstance(value, list):
            return [self._value(each, local) for each in value]
        if isinstance(value, Mapping):
            return {key: self._value(each, local) for key, each in value.items()}
        return value

    def _node(self, node: Node, local: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one for each
        match node.type, node.named_children:
            case "identifier", _:
                return self._named(text_of(node), local)
            case "call_expression", [name, arguments]:
                given = [self._node(each, local) for each in arguments.named_children]
                return _FUNCTIONS[text_of(name)](*given)
            case "lambda_expression", [name, body]:
                return lambda value: self._node(body, {**local, text_of(name): value})
            case "array", [loop] if loop.type == "for_statement":
                return self._loop(loop, local)
            case "for_statement", _:
                return self._loop(node, local)
            case kind, _ if kind.endswith("_expression"):
                return self._computed(node, local)
            case _:
                return self._value(value_of(node), local)

    def _computed(self, node: Node, local: Mapping[str, Any]) -> Any:
        match node.type, node.named_children:
            case "parenthesized_expression", [inner]:
                return self._node(inner, local)
            case "unary_expression", [inner] if text_of(node).startswith("!"):
                return not self._node(inner, local)
            case "binary_expression", [one, other]:
                sign = next(text_of(c) for c in node.children if not c.is_named)
                return _OPERATORS[sign](self._node(one, local), self._node(other, local))
            case "ternary_expression", [condition, one, other]:
                return self._node(one if self._node(condition, local) else other, local)
            case _:
                raise NotImplementedError(text_of(node))

    def _loop(self, node: Node, local: Mapping[str, Any]) -> list[Any]:
        parameters, values, body = node.named_children
        names = [text_of(each) for each in parameters.named_children] or [text_of(parameters)]
        return [
            self._node(body, {**local, **dict(zip(names, (value, index), strict=False))})
            for index, value in enumerate(self._node(values, local))
        ]

    def _named(self, name: str, local: Mapping[str, Any]) -> Any:
        if name in local:
            return local[name]
        if name in self._given:
            return self._given[name]
        if name in self._file.variables:
            return self.variable(name)
        return self._value(self._file.parameters[name].default, {})
