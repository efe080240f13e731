"""`host.json`, the functions and the templates against each other."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from infra.package import extension_triggers
from tests.infra.bicep import walk
from tests.infra.templates import Templates

_APP = "infra/modules/function-app.bicep"
_ENDPOINT = "infra/modules/global-endpoint.bicep"
_MONITORING = "infra/modules/monitoring.bicep"
_REGION = "infra/modules/region.bicep"
_ROLES = "infra/modules/roles.bicep"
_MESSAGES = "registry_core/repositories/messages.py"
_REFUSES_REQUESTS = ("maxOutstandingRequests", "dynamicThrottlesEnabled")


def host(templates: Templates) -> Iterator[str]:
    """What `host.json` says is what the templates rely on."""
    document = json.loads(templates.texts["host.json"])
    http = document["extensions"]["http"]
    yield from _probes(templates, http.get("routePrefix", "api"))
    if "maxConcurrentRequests" in http:
        yield "host.json: maxConcurrentRequests is what the templates set, by the instance's memory"
    for name in _REFUSES_REQUESTS:
        if name in http:
            yield f"host.json: {name} makes the host answer 429 in the registry's place"
    if "perInstanceConcurrency" not in keys(templates):
        yield f"{_APP}: without perInstanceConcurrency, Python gets one request at a time"
    if "concurrency" in document:
        yield "host.json: concurrency is what the templates set"
    hours, minutes, seconds = map(int, document["functionTimeout"].split(":"))
    if hours * 3600 + minutes * 60 + seconds < 230:
        yield "host.json: functionTimeout ends requests before the front end does"
    yield from _alerts(templates, document)
    yield from _triggers(templates, document)


def _probes(templates: Templates, prefix: str) -> Iterator[str]:
    """The path that is probed is a route."""
    path = re.search(r"path: '(/[^']*)'", templates.texts[_ENDPOINT])
    routes = re.findall(r"route=\"([^\"]+)\"", templates.texts["function_app.py"])
    served = {"/" + "/".join(part for part in (prefix, route) if part) for route in routes}
    if path is None or path[1] not in served:
        yield f"{_ENDPOINT}: probes {path[1] if path else 'nothing'}, which no function serves"


_LINES = ("audit", "answered")
"""The modules that spell the columns of the audit records."""


def _alerts(templates: Templates, document: dict[str, object]) -> Iterator[str]:
    """What alerts count is logged, and whole."""
    monitoring = templates.texts[_MONITORING]
    logging = document["logging"]
    assert isinstance(logging, dict)
    sampling = logging["applicationInsights"]["samplingSettings"]
    excluded = sampling.get("excludedTypes", "").split(";")
    if sampling.get("isEnabled", True) and "AppTraces" in monitoring and "Trace" not in excluded:
        yield "host.json: traces are sampled, and alerts and audits read them"
    yield from _levels(templates, logging)
    categories = set(re.findall(r"ContainerRegistry\w+Events", monitoring))
    audit = "".join(templates.texts[f"registry_core/http/{each}.py"] for each in _LINES)
    for category in sorted(categories):
        if category not in audit:
            yield f"{_MONITORING}: {category}: the registry logs no such records"
    for column in sorted(set(re.findall(r"Line\.(\w+)", monitoring))):
        if f'"{column}"' not in audit and f"{column}=" not in audit:
            yield f"{_MONITORING}: {column}: no column of the audit records"


def functions(templates: Templates) -> frozenset[str]:
    """The names of the app's functions."""
    found = set()
    for node in ast.walk(ast.parse(templates.texts["function_app.py"])):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        calls = [each for each in node.decorator_list if ast.unparse(each).startswith("app.")]
        named = [each for each in calls if ast.unparse(each).startswith("app.function_name(")]
        for call in named or calls[:1]:
            assert isinstance(call, ast.Call)
            found.add(ast.literal_eval(call.args[0]) if named else node.name)
    return frozenset(found)


def _levels(templates: Templates, logging: dict[str, Any]) -> Iterator[str]:
    """The host's own lines cost as much as the registry's, and tell nothing that those do not."""
    levels: dict[str, str] = logging["logLevel"]
    wanted = {"Host.Results": "requests are counted by it"}
    for name in functions(templates):
        wanted[f"Function.{name}.User"] = "the lines of that function"
    for category in sorted(wanted.keys() - levels.keys()):
        yield f"host.json: no level for {category}: {wanted[category]}"
    for category in sorted(levels.keys() - wanted.keys() - {"default"}):
        yield f"host.json: {category}: no function of that name"
    for category, level in levels.items():
        right = "Warning" if category == "default" else "Information"
        if level != right:
            yield f"host.json: the level of {category} is {right}"
    if logging["applicationInsights"].get("enableDependencyTracking", True):
        yield "host.json: each request to the worker would be logged as a dependency"


def _triggers(templates: Templates, document: dict[str, object]) -> Iterator[str]:
    """Triggers need their extension, and those of queues their address."""
    names = extension_triggers(templates.texts["function_app.py"])
    if names and "extensionBundle" not in document:
        yield f"host.json: {', '.join(sorted(names))}: comes with an extensionBundle"
    if "queue_trigger" in names and "queueServiceUri" not in templates.texts[_APP]:
        yield f"{_APP}: queue triggers need RegistryStorage__queueServiceUri"
    yield from _queue(templates)


def _queue(templates: Templates) -> Iterator[str]:
    """The queue that the code names is made, may be written to, and what it gives up is told of."""
    (name,) = re.findall(r'^QUEUE = "([^"]+)"', templates.texts[_MESSAGES], re.MULTILINE)
    for path, text in (
        (_REGION, f"queues: ['{name}']"),
        (_ROLES, f"name: '{name}'"),
        (_MONITORING, f'"{name}-poison"'),
    ):
        if text not in templates.texts[path]:
            yield f"{path}: says nothing of the queue {name}"


def keys(templates: Templates) -> set[str]:
    """The keys of all objects in the app's template."""
    return {
        (node.named_children[0].text or b"").decode()
        for node in walk(templates.file(_APP).root)
        if node.type == "object_property"
    }


def reachable_by_az(templates: Templates) -> Iterator[str]:
    """`az acr -n NAME` takes letters and digits: no host name has a hyphen in its first label."""
    main = templates.main
    names = main.variables["appNames"].text
    if re.search(r"'[^']*-[^']*'", names):
        yield "infra/main.bicep: an app's name has a hyphen, and `az acr -n` would not reach it"
    if main.variables["hosts"].text.count(".azurewebsites.net") != 1:
        yield "infra/main.bicep: hosts are not <app>.azurewebsites.net"
    if "autoGeneratedDomainNameLabelScope" in templates.texts[_APP]:
        yield f"{_APP}: a generated label puts a hyphen into the host's name"
