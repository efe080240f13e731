"""The documentation against the templates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from slipway_cli.billing import bill
from slipway_cli.billing.instance import Instance
from tests.infra.bicep import Expression
from tests.infra.templates import Templates

_DEPLOY = "docs/deploy.md"
_LIMITS = "docs/limits.md"
_MAIN = "infra/main.bicep"
_PARAMETERS = "infra/main.bicepparam"
_PIPELINE = ".github/workflows/deploy.yml"
_OF_THE_TOOLS = {
    "AZURE_CONFIG_DIR",
    "AZURE_ENV_NAME",
    "AZURE_LOCATION",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_SUBSCRIPTION_ID",
    "REGISTRY_IS_CLOSED",
    "REGISTRY_RUNNER",
}
_NO_PARAMETERS = {"functionTimeout", "siteScopedCertificatesEnabled"}


def _table(text: str, heading: str) -> Mapping[str, list[str]]:
    """The rows of the table whose first column is headed so, by their first column."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[line] = cells
    return rows


def parameters(templates: Templates) -> Iterator[str]:
    """Each parameter is documented with its default, and each documented one exists."""
    declared = templates.main.parameters
    rows = _table(templates.texts[_DEPLOY], "parameter").values()
    told = {row[0].strip("`"): row[1] for row in rows}
    for name in sorted(declared.keys() - told.keys()):
        yield f"{_DEPLOY}: {name} is not documented"
    for name in sorted(told.keys() - declared.keys()):
        yield f"{_DEPLOY}: {name}: there is no such parameter in {_MAIN}"
    for name in sorted(declared.keys() & told.keys()):
        default = _spelt(declared[name].default)
        if not declared[name].has_default and told[name] != "needed":
            yield f"{_DEPLOY}: {name} is needed"
        if default and declared[name].has_default and told[name] != f"`{default}`":
            yield f"{_DEPLOY}: {name}: the default is {default}, not {told[name]}"
        if "description" not in declared[name].decorators:
            yield f"{_MAIN}: {name} has no description"


def _spelt(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if isinstance(default, str | int) else ""


def given(templates: Templates) -> Iterator[str]:
    """What the parameter files give, the template takes; what it needs, they give."""
    declared = templates.main.parameters
    param_file = templates.texts[_PARAMETERS]
    as_json = templates.texts["infra/main.parameters.json"]
    for path, names in (
        (_PARAMETERS, set(re.findall(r"^param (\w+)", param_file, re.MULTILINE))),
        ("infra/main.parameters.json", set(re.findall(r'^    "(\w+)": \{', as_json, re.MULTILINE))),
    ):
        for name in sorted(names - declared.keys()):
            yield f"{path}: {name}: there is no such parameter"
        for name, parameter in declared.items():
            if not parameter.has_default and name not in names:
                yield f"{path}: {name} is needed"


def _from_environment(templates: Templates) -> set[str]:
    """The variables that the parameter file reads."""
    return set(re.findall(r"readEnvironmentVariable\('(\w+)'", templates.texts[_PARAMETERS]))


def environment(templates: Templates) -> Iterator[str]:
    """What the parameter file reads is documented, and the pipeline hands it over."""
    for name in sorted(_from_environment(templates)):
        if f"`{name}`" not in templates.texts[_DEPLOY]:
            yield f"{_DEPLOY}: says nothing of {name}"
        if f" {name}: ${{{{ " not in templates.texts[_PIPELINE]:
            yield f"{_PIPELINE}: does not set {name}"


def mentioned(templates: Templates) -> Iterator[str]:
    """Parameters and outputs that the pages and commands name exist."""
    main = templates.main
    known = main.parameters.keys() | main.outputs.keys()
    for path in (_DEPLOY, _LIMITS):
        text = templates.texts[path]
        for name in sorted(set(re.findall(r"--parameters (\w+)=|`([a-z]+[A-Z]\w+)`", text))):
            word = name[0] or name[1]
            if word not in known and word not in _NO_PARAMETERS:
                yield f"{path}: {word}: there is no such parameter"
        for name in sorted(set(re.findall(r"`((?:REGISTRY|AZURE)_[A-Z_]+)`", text))):
            is_setting = f"`{name}" in templates.texts["docs/settings.md"]
            is_variable = name in _OF_THE_TOOLS or name in _from_environment(templates)
            if name not in known and not is_setting and not is_variable:
                yield f"{path}: {name}: neither an output nor a setting"


def limits(templates: Templates) -> Iterator[str]:
    """The table has the default, and for other instances the largest body that they hold."""
    declared = templates.main.parameters
    rows = _table(templates.texts[_LIMITS], "`instanceMemoryMB`").values()
    names = ("instanceMemoryMB", "perInstanceConcurrency", "requestBodyLimitMiB")
    default = [str(declared[name].default) for name in names]
    if default not in [row[:3] for row in rows]:
        yield f"{_LIMITS}: the default {default} is not in the table"
    for row in rows:
        memory, concurrency, limit = map(int, row[:3])
        instance = Instance(memory, concurrency, limit)
        if not instance.holds:
            yield f"{_LIMITS}: {memory} MB do not hold {concurrency} bodies of {limit} MiB"
        heap, own, each, rest, beside = _rule(templates.texts[_LIMITS])
        told = int(min((heap * memory - own) / each, (memory - rest) / beside))
        if told != instance.bodies_mib:
            yield f"{_LIMITS}: by its rule {memory} MB hold {told} MiB, not {instance.bodies_mib}"
        if row[:3] != default and limit != instance.largest_body_mib:
            yield f"{_LIMITS}: {memory} MB hold {concurrency} bodies of {instance.largest_body_mib}"


def _rule(text: str) -> tuple[float, ...]:
    """The numbers of the rule, as the page tells it."""
    number, less = r"(\d[\d.]*)", r"\W+instanceMemoryMB\W+"
    rule = rf"\({number}{less}{number}\) / {number}, and at most \({less}{number}\) / "
    found = re.search(rule + r"(\d\.\d)", text)
    return tuple(map(float, found.groups())) if found else (0, 0, 1, 0, 1)


def roles(templates: Templates) -> Iterator[str]:
    """The page tells of every role that is assigned."""
    text = templates.texts[_DEPLOY]
    for path in ("infra/modules/roles.bicep", "infra/modules/key-vault.bicep"):
        for name in templates.file(path).variables:
            words = re.sub(r"([A-Z])", r" \1", name).lower().split()
            if not re.search(r"\b" + r"\s+(\w+\s+)?".join(words), text.lower()):
                yield f"{_DEPLOY}: says nothing of the role {name}"


def alerts(templates: Templates) -> Iterator[str]:
    """The page tells of every alert."""
    text = templates.texts[_DEPLOY]
    queries = templates.file("infra/modules/monitoring.bicep").variables["queries"]
    for alert in queries:
        if f"| {alert['key']} |" not in text:
            yield f"{_DEPLOY}: says nothing of the alert {alert['key']}"
        if not isinstance(alert["threshold"], Expression | int):
            yield f"{alert['key']}: a threshold is a number"


def cost(templates: Templates) -> Iterator[str]:
    """What the bill counts is what the templates make."""
    refusals = re.findall(r"'(\w+Error)'", templates.texts["infra/modules/region-alerts.bicep"])
    region = templates.file("infra/modules/region.bicep")
    app = ast.parse(templates.texts["function_app.py"]).body
    # Those that a setting makes are counted with it.
    timers = [each for each in app if "app.timer_trigger(" in ast.unparse(each)]
    timers = [each for each in timers if not isinstance(each, ast.If)]
    monitoring = templates.file("infra/modules/monitoring.bicep")
    rules = [each for each in monitoring.resources if "scheduledQueryRules" in each.reference]
    for what, counted, made in (
        ("alerts on logs", bill.LOG_ALERTS, len(rules)),
        ("time series of the alert on storage", bill.THROTTLING_SERIES, len(refusals)),
        ("private endpoints", bill.ENDPOINTS, len(region.variables["storageServices"])),
        ("timers", bill.TIMER_RUNS_A_DAY, len(timers)),
    ):
        if counted != made:
            yield f"{what}: the bill counts {counted}, there are {made}"
