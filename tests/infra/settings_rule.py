"""The app settings in the templates against those that the code reads."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from registry_core.settings import SERVICES
from tests.infra import host_rule
from tests.infra.templates import Templates

_APP = "infra/modules/function-app.bicep"
_MAIN = "infra/main.bicep"
_CODE = "registry_core/settings/"
_NAME = re.compile(r"REGISTRY_[A-Z0-9_]+|RegistryStorage(__\w+)?|WEBSITE_\w+|REGION_NAME")
_OF_THE_PLATFORM = {
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsDisableHomepage",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AzureFunctionsJobHost__extensions__http__maxConcurrentRequests",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
}
"""Read by the Functions host, not by the registry."""
_REFUSED = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_NODE_DEFAULT_VERSION",
    "WEBSITE_TIME_ZONE",
    "WEBSITE_VNET_ROUTE_ALL",
    "ENABLE_ORYX_BUILD",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "PYTHON_ENABLE_INIT_INDEXING",
}
"""Settings that Flex Consumption does not take (ARM's error 51021, and
learn.microsoft.com/azure/azure-functions/functions-app-settings, "Flex Consumption plan
deprecations"), or Python 3.13 does not need. FUNCTIONS_WORKER_PROCESS_COUNT is one that the page
calls not valid, though the host takes it: instance_rule.py sees that it is set on request only."""
_REFUSED_PROPERTIES = {
    "containerSize",
    "ftpsState",
    "functionAppScaleLimit",
    "isReserved",
    "isXenon",
    "javaVersion",
    "linuxFxVersion",
    "minimumElasticInstanceCount",
    "netFrameworkVersion",
    "powerShellVersion",
    "preWarmedInstanceCount",
    "use32BitWorkerProcess",
    "vnetContentShareEnabled",
    "vnetImagePullEnabled",
    "vnetRouteAllEnabled",
    "windowsFxVersion",
}
"""The same of a site's properties; what stands for them is in `functionAppConfig`."""
_LEFT_TO_AZURE = {"REGION_NAME", "WEBSITE_HOSTNAME"}
"""Set by App Service itself."""
_INSTEAD_OF_URIS = {"RegistryStorage", "RegistryStorage__accountName"}
"""Other ways to say where storage is; the templates give the three addresses."""


def given(templates: Templates) -> frozenset[str]:
    """The app settings that the template sets."""
    resources = templates.file(_APP).resources
    body = next(r.body for r in resources if r.body.get("name") == "appsettings")
    return frozenset(body["properties"])


def read(templates: Templates) -> frozenset[str]:
    """The environment variables that `registry_core.settings` asks for."""
    found = set()
    trees = [ast.parse(text) for path, text in templates.texts.items() if path.startswith(_CODE)]
    for node in itertools.chain.from_iterable(map(ast.walk, trees)):
        if isinstance(node, ast.Constant) and _NAME.fullmatch(str(node.value)):
            found.add(str(node.value))
        if isinstance(node, ast.JoinedStr) and "RegistryStorage__" in ast.unparse(node):
            found |= {f"RegistryStorage__{service}ServiceUri" for service in SERVICES}
    return frozenset(found)


def flex(templates: Templates) -> Iterator[str]:
    """Nothing that Flex Consumption refuses, which ends a deployment, or lets fail afterwards."""
    for name in sorted(given(templates) & _REFUSED):
        yield f"{name}: Flex Consumption does not take it"
    refused = {name.lower() for name in _REFUSED_PROPERTIES}
    for name in sorted(host_rule.keys(templates)):
        if name.lower() in refused:
            yield f"{_APP}: {name}: Flex Consumption does not take it"
    if "AzureWebJobsStorage" in given(templates):
        yield "AzureWebJobsStorage: beside its `__` settings, even empty, it makes the host fail"
    if "AzureWebJobsDisableHomepage: 'true'" not in templates.texts[_APP]:
        yield "AzureWebJobsDisableHomepage: without it, / is Azure's page and no request of ours"


def settings(templates: Templates) -> Iterator[str]:
    """The template sets what the registry reads, and nothing that nobody does."""
    for name in sorted(given(templates) - read(templates) - _OF_THE_PLATFORM):
        yield f"{name}: set in {_APP}, and read by nothing"
    for name in sorted(read(templates) - given(templates) - _LEFT_TO_AZURE - _INSTEAD_OF_URIS):
        yield f"{name}: read by the registry, and not set in {_APP}"


def limits(templates: Templates) -> Iterator[str]:
    """Each rate limit can be given by the name that is checked, and none other."""
    text = templates.texts[_APP]
    settings = dict(
        re.findall(r"REGISTRY_RATE_LIMIT_(\w+): string\(limits\.\?(\w+) \?\? ''\)", text)
    )
    known = set(templates.main.variables["noLimits"])
    for setting, given_as in sorted(settings.items()):
        first, *others = setting.lower().split("_")
        name = first + "".join(map(str.capitalize, others))
        if given_as != name:
            yield f"{_APP}: REGISTRY_RATE_LIMIT_{setting} is given by {given_as}"
        if name not in known:
            yield f"{_MAIN}: the limit {name} is refused as misspelt"
        known.discard(name)
    for name in sorted(known):
        yield f"{_MAIN}: {name}: there is no such limit"
    (conditions,) = (m for m in templates.main.modules if m.symbol == "conditions")
    checked = conditions.body["params"].get("requestsPerMinuteHasNamesOfLimits")
    if getattr(checked, "text", "") != "any(length(limits) == length(noLimits))":
        yield f"{_MAIN}: a limit whose name is misspelt is not refused"
