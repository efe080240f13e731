"""Route templates and the order in which the Functions host tries them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from devhost.errors import AppError

_RESERVED_PREFIXES = ("admin", "runtime")


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment of a template: a literal, `{name}` or `{*name}`."""

    text: str
    is_parameter: bool = False
    is_catch_all: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The template and the methods of one function; `methods` is None where all will do."""

    function_name: str
    template: str
    methods: frozenset[str] | None
    _segments: tuple[_Segment, ...]

    @classmethod
    def parse(cls, function_name: str, template: str, methods: Collection[str] | None) -> "Route":
        """Read a template such as `v2/{*path}` (with the route prefix already in front).

        Raises:
            AppError: the template is reserved, malformed, or has a feature this host does not
            imitate.
        """
        trimmed = template.strip("/")
        if trimmed.lower().startswith(_RESERVED_PREFIXES):
            raise AppError(
                f"function {function_name}: the route {template!r} starts with a reserved prefix"
            )
        texts = trimmed.split("/") if trimmed else []
        segments = tuple(_parse_segment(text, template, function_name) for text in texts)
        if any(segment.is_catch_all for segment in segments[:-1]):
            raise AppError(
                f"function {function_name}: only the last segment of {template!r} can be {{*name}}"
            )
        upper = None if methods is None else frozenset(method.upper() for method in methods)
        return cls(function_name, trimmed, upper, segments)

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the route parameters for a decoded path, or None if this route is not the one.

        A catch-all that matched nothing has no parameter. A trailing slash belongs to the
        catch-all's value and means nothing to other segments.
        """
        if self.methods is not None and method.upper() not in self.methods:
            return None
        parameters: dict[str, str] = {}
        rest = path.removeprefix("/")
        for segment in self._segments:
            if segment.is_catch_all:
                if rest.startswith("/"):
                    return None
                if rest:
                    parameters[segment.text] = rest
                return parameters
            found, _, rest = rest.partition("/")
            if not found:
                return None
            if segment.is_parameter:
                parameters[segment.text] = found
            elif found.lower() != segment.text.lower():
                return None
        return None if rest else parameters


class RouteTable:
    """The routes in the order in which the host tries them, that of their functions' names.

    How specific a route is does not matter.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(sorted(routes, key=lambda route: route.function_name.lower()))

    @property
    def routes(self) -> Sequence[Route]:
        """All routes, in the order in which they are tried."""
        return self._routes

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the first route that takes this method and decoded path, with its parameters."""
        for route in self._routes:
            parameters = route.match(method, path)
            if parameters is not None:
                return route, parameters
        return None


def _parse_segment(text: str, template: str, function_name: str) -> _Segment:
    if "{" not in text and "}" not in text:
        if not text:
            raise AppError(f"function {function_name}: the route {template!r} has an empty segment")
        return _Segment(text)
    inner = text[1:-1]
    name = inner.removeprefix("*")
    if not (text.startswith("{") and text.endswith("}")) or not name.replace("_", "").isalnum():
        raise AppError(
            f"function {function_name}: {text!r} in the route {template!r} is not supported here; "
            "use only whole segments {name} and {*name}, without constraints or defaults"
        )
    return _Segment(name, is_parameter=True, is_catch_all=inner.startswith("*"))
