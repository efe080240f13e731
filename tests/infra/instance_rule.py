"""What an instance can hold: the templates against the rule (slipway_cli/billing/instance.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import product

from slipway_cli.billing.instance import MEMORY_MB, Instance
from tests.infra.bicep import File
from tests.infra.evaluate import Evaluation
from tests.infra.templates import Templates

_MAIN = "infra/main.bicep"
_REGION = "infra/modules/region.bicep"
_APP = "infra/modules/function-app.bicep"
_PARAMETERS = {
    "memory_mb": "instanceMemoryMB",
    "concurrency": "perInstanceConcurrency",
    "body_limit_mib": "requestBodyLimitMiB",
    "processes": "workerProcesses",
}
_CONDITION = "instanceMemoryMBHoldsPerInstanceConcurrencyTimesRequestBodyLimitMiB"
_PROCESSES = "twoWorkerProcessesNeedInstanceMemoryMB4096"
_SETTINGS = {
    "AzureFunctionsJobHost__extensions__http__maxConcurrentRequests": "string(mostRequests)",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "string(requestBodyLimitMiB * 1048576)",
    # Azure is not told what is the default, because its documentation calls the setting not valid.
    "FUNCTIONS_WORKER_PROCESS_COUNT": "any(workerProcesses == 1 ? null : string(workerProcesses))",
}


def defaults(templates: Templates) -> Iterator[str]:
    """The parameters' defaults are the rule's, and they may be given what it knows."""
    declared = templates.main.parameters
    for field in fields(Instance):
        name = _PARAMETERS[field.name]
        if declared[name].default != field.default:
            yield f"{_MAIN}: {name} is {declared[name].default}, the rule has {field.default}"
    if tuple(declared["instanceMemoryMB"].decorators["allowed"]) != MEMORY_MB:
        yield f"{_MAIN}: instances have {MEMORY_MB} MB"
    largest = max(Instance(memory, 1).largest_body_mib for memory in MEMORY_MB)
    if declared["requestBodyLimitMiB"].decorators["maxValue"] != largest:
        yield f"{_MAIN}: the largest requestBodyLimitMiB that any instance holds is {largest}"


def holds(templates: Templates) -> Iterator[str]:
    """The template computes what the rule does, and refuses what it refuses."""
    for instance in _instances():
        given = {_PARAMETERS[name]: value for name, value in vars(instance).items()}
        evaluation = Evaluation(templates.main, locations=["westeurope"], **given)
        broken = evaluation.broken()
        if (_CONDITION in broken) is instance.holds:
            yield f"{_MAIN}: {_CONDITION} is wrong for {instance}"
            return
        if instance.holds and evaluation.variable("mostRequests") != instance.most_requests:
            yield f"{_MAIN}: mostRequests is wrong for {instance}"
            return
        if (_PROCESSES in broken) is not (instance.processes > 1 and instance.memory_mb < 4096):
            yield f"{_MAIN}: {_PROCESSES} is wrong for {instance}"
            return


def _instances() -> Iterator[Instance]:
    """At the edge of the rule and on both sides of it, for every memory, and far from it."""
    for memory, concurrency, processes in product(MEMORY_MB, (1, 2, 3, 4, 7, 16, 100), (1, 2)):
        largest = Instance(memory, concurrency, processes=processes).largest_body_mib
        for limit in sorted({1, max(1, largest), largest + 1, 100, 587}):
            yield Instance(memory, concurrency, limit, processes)


def settings(templates: Templates) -> Iterator[str]:
    """The host is told the rule's numbers, in every region."""
    resources = templates.file(_APP).resources
    given = next(r.body for r in resources if r.body.get("name") == "appsettings")["properties"]
    for name, expected in _SETTINGS.items():
        if getattr(given.get(name), "text", "") != expected:
            yield f"{_APP}: {name} is not {expected}"
    for path, file in ((_MAIN, templates.main), (_REGION, templates.file(_REGION))):
        for name in ("mostRequests", *_PARAMETERS.values()):
            if name not in _passed_on(file):
                yield f"{path}: {name} does not reach the app"


def _passed_on(file: File) -> set[str]:
    """The parameters that a module gets under their own name."""
    found = set()
    for module in file.modules:
        for name, value in module.body.get("params", {}).items():
            if re.fullmatch(r"\w+", getattr(value, "text", "")) and value.text == name:
                found.add(name)
    return found
