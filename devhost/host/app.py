"""Loading a function app as the Functions host and the Python worker do."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from devhost.errors import AppError
from devhost.host.routing import Route, RouteTable
from devhost.host_json import HostJson, QueuesOptions
from devhost.json_files import read_json
from devhost.triggers.queues import QueueFunction
from devhost.triggers.timers import TimerFunction
from devhost.triggers.worker import Function

_BUNDLE = (
    '"extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", '
    '"version": "[4.*, 5.0.0)"}'
)


@dataclass(frozen=True, slots=True)
class FunctionApp:
    """An app as the host knows it.

    The functions in `not_run` have triggers of other types, and those in `disabled` are switched
    off by the app setting `AzureWebJobs.<name>.Disabled`.
    """

    http_functions: Mapping[str, Function]
    routes: RouteTable
    timers: tuple[TimerFunction, ...] = ()
    queues: tuple[QueueFunction, ...] = ()
    queues_options: QueuesOptions = field(default_factory=QueuesOptions)
    not_run: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()


def read_local_settings(app_dir: Path) -> dict[str, str]:
    """Return the `Values` of local.settings.json, or nothing if there is no such file.

    Raises:
        AppError: the file is not what `func` would read.
    """
    document = read_json(app_dir / "local.settings.json")
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

    The environment must be complete before: an app may read it while it is imported, and triggers
    refer to it.

    Raises:
        AppError: there is no app, it cannot be imported, or a trigger cannot be used.
    """
    host = HostJson.read(app_dir)
    index = _Index(host.route_prefix, has_extensions=host.has_extensions)
    disabled = []
    for function in _import_app(app_dir).get_functions():
        name = function.get_function_name()
        if _is_disabled(name, os.environ):
            disabled.append(name)
        else:
            index.add(function)
    _reject_conflicts(index.routes)
    return FunctionApp(
        http_functions=index.http_functions,
        routes=RouteTable(index.routes),
        timers=tuple(index.timers),
        queues=tuple(index.queues),
        queues_options=host.queues,
        not_run=tuple(index.not_run),
        disabled=tuple(disabled),
    )


def _is_disabled(name: str, environment: Mapping[str, str]) -> bool:
    """Whether an app setting switches the function off, spelt in any case as the host reads it.

    https://learn.microsoft.com/azure/azure-functions/disable-function
    """
    setting = f"AzureWebJobs.{name}.Disabled".lower()
    values = (value for key, value in environment.items() if key.lower() == setting)
    return any(value.strip().lower() in {"true", "1"} for value in values)


def _import_app(app_dir: Path) -> Any:
    if not (app_dir / "function_app.py").is_file():
        raise AppError(f"there is no function_app.py in {app_dir}")
    os.environ["AzureWebJobsScriptRoot"] = str(app_dir)
    sys.path.insert(0, str(app_dir))
    app = getattr(importlib.import_module("function_app"), "app", None)
    if app is None or not hasattr(app, "get_functions"):
        raise AppError("function_app.py does not define a FunctionApp called `app`")
    return app


class _Index:
    """The functions of an app, sorted by their triggers."""

    def __init__(self, route_prefix: str, *, has_extensions: bool) -> None:
        self._route_prefix = route_prefix
        self._has_extensions = has_extensions
        self.http_functions: dict[str, Function] = {}
        self.routes: list[Route] = []
        self.timers: list[TimerFunction] = []
        self.queues: list[QueueFunction] = []
        self.not_run: list[str] = []

    def add(self, declared: Any) -> None:
        """Add a function as the programming model declares it."""
        trigger: Mapping[str, Any] = declared.get_trigger().get_dict_repr()
        function = Function(
            declared.get_function_name(), declared.get_user_function(), trigger["name"]
        )
        match trigger["type"]:
            case "httpTrigger":
                self.http_functions[function.name] = function
                self.routes.append(self._route(function.name, trigger))
            case "timerTrigger":
                _reject_other_bindings(declared, function.name)
                self.timers.append(TimerFunction.parse(function, trigger, os.environ))
            case "queueTrigger":
                self._check_registered(function.name, "queueTrigger")
                _reject_other_bindings(declared, function.name)
                self.queues.append(QueueFunction.parse(function, trigger, os.environ))
            case other:
                self.not_run.append(f"{function.name} ({other})")

    def _check_registered(self, name: str, binding_type: str) -> None:
        """Refuse a function that the host would leave out, telling nobody but its log.

        https://github.com/Azure/azure-functions-host: the message is its own.
        """
        if not self._has_extensions:
            raise AppError(
                f"function {name}: The binding type(s) '{binding_type}' are not registered. Please "
                "ensure the type is correct and the binding extension is installed. (Give "
                f"host.json this: {_BUNDLE})"
            )

    def _route(self, name: str, trigger: Mapping[str, Any]) -> Route:
        route = trigger.get("route")
        methods = [_plain(method) for method in trigger.get("methods") or ()]
        template = f"{self._route_prefix}/{name if route is None else route}"
        return Route.parse(name, template, methods or None)


def _reject_other_bindings(declared: Any, name: str) -> None:
    for binding in declared.get_bindings():
        if binding is not declared.get_trigger():
            kind = binding.get_dict_repr()["type"]
            raise AppError(f"function {name}: bindings of type {kind} are not supported here")


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
