"""Loading a function app as the Functions host and the Python worker do."""

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from devhost.errors import AppError
from devhost.routing import Route, RouteTable

UserFunction = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """One function with an HTTP trigger; `parameter` is the name of its request argument."""

    name: str
    call: UserFunction
    parameter: str

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop, and not in a thread."""
        return inspect.iscoroutinefunction(self.call)


@dataclass(frozen=True, slots=True)
class FunctionApp:
    """An app as the host knows it; the functions in `not_run` have triggers other than HTTP."""

    http_functions: Mapping[str, HttpFunction]
    routes: RouteTable
    not_run: tuple[str, ...]


def read_local_settings(app_dir: Path) -> dict[str, str]:
    """Return the `Values` of local.settings.json, or nothing if there is no such file.

    Raises:
        AppError: the file is not what `func` would read.
    """
    document = _read_json(app_dir / "local.settings.json")
    if document.get("IsEncrypted"):
        raise AppError("local.settings.json is encrypted; run `func settings decrypt` first")
    settings = document.get("Values", {})
    if not isinstance(settings, dict) or not all(
        isinstance(value, str) for value in settings.values()
    ):
        raise AppError("local.settings.json: Values must be an object of strings")
    return settings


def load_app(app_dir: Path) -> FunctionApp:
    """Import `function_app.py` of `app_dir` and index its functions.

    The environment must be complete before: an app may read it while it is imported.

    Raises:
        AppError: there is no app, it cannot be imported, or a route cannot be used.
    """
    prefix = _route_prefix(_read_json(app_dir / "host.json"))
    if not (app_dir / "function_app.py").is_file():
        raise AppError(f"there is no function_app.py in {app_dir}")
    os.environ["AzureWebJobsScriptRoot"] = str(app_dir)
    sys.path.insert(0, str(app_dir))
    module = importlib.import_module("function_app")
    app = getattr(module, "app", None)
    if app is None or not hasattr(app, "get_functions"):
        raise AppError("function_app.py defines no FunctionApp called `app`")
    functions: dict[str, HttpFunction] = {}
    routes: list[Route] = []
    others: list[str] = []
    for function in app.get_functions():
        name: str = function.get_function_name()
        trigger: Mapping[str, Any] = function.get_trigger().get_dict_repr()
        if trigger["type"] != "httpTrigger":
            others.append(f"{name} ({trigger['type']})")
            continue
        route = trigger.get("route")
        methods = [_plain(method) for method in trigger.get("methods") or ()]
        routes.append(
            Route.parse(name, f"{prefix}/{name if route is None else route}", methods or None)
        )
        functions[name] = HttpFunction(name, function.get_user_function(), trigger["name"])
    _reject_conflicts(routes)
    return FunctionApp(functions, RouteTable(routes), tuple(others))


def _route_prefix(host: Mapping[str, Any]) -> str:
    http = host.get("extensions", {}).get("http", {})
    prefix = http.get("routePrefix", "api")
    if not isinstance(prefix, str):
        raise AppError("host.json: extensions.http.routePrefix must be a string")
    return prefix.strip("/")


def _reject_conflicts(routes: list[Route]) -> None:
    for first, second in _pairs(routes):
        if first.template.lower() != second.template.lower():
            continue
        if first.methods is None or second.methods is None or first.methods & second.methods:
            raise AppError(
                f"functions {first.function_name} and {second.function_name}: route conflicts"
            )


def _pairs(routes: list[Route]) -> Iterator[tuple[Route, Route]]:
    for index, first in enumerate(routes):
        for second in routes[index + 1 :]:
            yield first, second


def _plain(method: Enum | str) -> str:
    return str(method.value) if isinstance(method, Enum) else method


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AppError(f"{path.name} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise AppError(f"{path.name} must be a JSON object")
    return document
