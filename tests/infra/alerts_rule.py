"""The alerts of the templates: what they cost, and that they tell of everything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.infra.templates import Templates

_MONITORING = "infra/modules/monitoring.bicep"
_REGION = "infra/modules/region.bicep"
_REGION_ALERTS = "infra/modules/region-alerts.bicep"
_BUDGET = "infra/modules/budget.bicep"
_MAIN = "infra/main.bicep"
_BILLED = {"Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/actionGroups"}


def billed(templates: Templates) -> Iterator[str]:
    """No alert is made where nobody hears of it, and none is asked oftener than the bill says."""
    file = templates.file(_MONITORING)
    if file.variables.get("alerted") is None or file.variables["alerted"].text != (
        "!empty(alertEmail)"
    ):
        yield f"{_MONITORING}: alerts are for who has an address"
    for resource in file.resources:
        if resource.type_name in _BILLED and resource.condition != "alerted":
            yield f"{_MONITORING}: {resource.symbol} is made, and billed, where nobody hears of it"
    (of_region,) = (m for m in templates.file(_REGION).modules if m.symbol == "alerts")
    if of_region.condition != "!empty(actionGroupId)":
        yield f"{_REGION}: {of_region.symbol} are made where nobody hears of them"
    for path in (_MONITORING, _REGION_ALERTS):
        for found in re.findall(r"evaluationFrequency: '(\w+)'", templates.texts[path]):
            if found != "PT15M":
                yield f"{path}: asked every {found}: the price is that of every quarter of an hour"


def told(templates: Templates) -> Iterator[str]:
    """There is a question for each thing that fails without a client noticing."""
    variables = templates.file(_MONITORING).variables
    queries = {each["key"]: str(each["query"]) for each in variables["queries"]}
    text = templates.texts[_MONITORING]
    (rule,) = re.findall(r"    description: '([^']*)'", text)
    for key in queries:
        if f"{key}: " not in rule:
            yield f"{_MONITORING}: the rule's description says nothing of {key}"
    if not any("_LogOperation" in query and "OverQuota" in query for query in queries.values()):
        yield f"{_MONITORING}: past the daily cap no alert tells of anything, and none told of it"
    code = ast.parse(templates.texts["function_app.py"])
    has_queue = any(
        isinstance(node, ast.Attribute) and node.attr == "queue_trigger" for node in ast.walk(code)
    )
    asks = any("poison" in query for query in queries.values())
    if asks != has_queue:
        yield f"{_MONITORING}: a poison queue is asked for where there is a queue function"


def budget(templates: Templates) -> Iterator[str]:
    """A budget is made where somebody hears of it, and can be deployed again in any later month."""
    (module,) = (m for m in templates.main.modules if m.symbol == "budget")
    if module.condition != "!empty(budgetEmails)":
        yield f"{_MAIN}: {module.symbol} is made where nobody hears of it"
    for name, expected in (("start", "budgetStart"), ("emails", "budgetAddresses")):
        if getattr(module.body["params"][name], "text", "") != expected:
            yield f"{_MAIN}: the {name} of the budget is not what the operator says"
    (resource,) = templates.file(_BUDGET).resources
    properties = resource.body["properties"]
    # Azure refuses another start than the first, so nothing of the present day may be in it.
    start = getattr(properties["timePeriod"]["startDate"], "text", "")
    default = templates.main.parameters["budgetStart"].default
    if start != "'${start}-01'" or default != "":
        yield f"{_BUDGET}: the start is the first day of a month that stays the same"
    if not _conditions(templates, "budgetStart"):
        yield f"{_MAIN}: a budget without a start is not refused"
    for name, each in properties["notifications"].items():
        if getattr(each.get("contactEmails"), "text", "") != "emails" or not each["enabled"]:
            yield f"{_BUDGET}: nobody hears of {name}"


def _conditions(templates: Templates, parameter: str) -> list[str]:
    """The conditions between parameters that name this one."""
    (module,) = (m for m in templates.main.modules if m.symbol == "conditions")
    given = module.body["params"].values()
    return [each.text for each in given if re.search(rf"\b{parameter}\b", each.text)]
