"""The templates under `infra/` keep to the rules, and each rule catches what it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from tests.infra import (
    alerts_rule,
    docs_rule,
    domain_rule,
    host_rule,
    instance_rule,
    language,
    resource_types,
    roles_rule,
    settings_rule,
    versions_rule,
)
from tests.infra.evaluate import Evaluation
from tests.infra.templates import Templates

Rule = Callable[[Templates], Iterator[str]]

MAIN = "infra/main.bicep"
REGION = "infra/modules/region.bicep"
APP = "infra/modules/function-app.bicep"
STORAGE = "infra/modules/storage.bicep"
ROLES = "infra/modules/roles.bicep"
ENDPOINT = "infra/modules/global-endpoint.bicep"
BUDGET = "infra/modules/budget.bicep"
MONITORING = "infra/modules/monitoring.bicep"
DEPLOY = "docs/deploy.md"
CONTENT = "registry_core/storage/objects.py"
SDK = "registry_core/storage/sdk.py"

RULES: tuple[Rule, ...] = (
    language.syntax,
    language.names,
    language.shadows,
    language.modules,
    language.typed,
    language.secrets,
    language.types,
    versions_rule.recent,
    instance_rule.defaults,
    instance_rule.holds,
    instance_rule.settings,
    settings_rule.settings,
    settings_rule.flex,
    settings_rule.limits,
    alerts_rule.billed,
    alerts_rule.told,
    alerts_rule.budget,
    domain_rule.certificates,
    domain_rule.cors,
    roles_rule.operations,
    roles_rule.least,
    roles_rule.identity_only,
    host_rule.host,
    host_rule.reachable_by_az,
    docs_rule.parameters,
    docs_rule.given,
    docs_rule.environment,
    docs_rule.mentioned,
    docs_rule.limits,
    docs_rule.roles,
    docs_rule.alerts,
    docs_rule.cost,
)

# Rule, file, what is there, what a careless change makes of it, and what the rule says then.
MUTATIONS: tuple[tuple[Rule, str, str, str, str], ...] = (
    (language.syntax, APP, "  kind: 'functionapp'\n", "  kind: 'functionapp\n", "not Bicep"),
    (language.syntax, MAIN, "targetScope = 'subscription'", "targetScope 'x'", "not Bicep"),
    (language.names, APP, "serverFarmId: plan.id", "serverFarmId: plam.id", "plam"),
    (
        language.names,
        STORAGE,
        "replace(addresses,",
        "replace(address,",
        "address is not declared",
    ),
    (language.names, APP, "      REGISTRY_CACHE_TTL: cacheTtl\n", "", "cacheTtl is never used"),
    (language.names, MAIN, "var allTags = union(", "var allTags = unite(", "unite"),
    (
        language.shadows,
        MAIN,
        "    peers: join(filter(hosts, host =>",
        "    peers: join(filter(hosts, hosts =>",
        "hosts hides",
    ),
    (
        language.names,
        MAIN,
        "import { requestLimits, tagsByName }",
        "import { requestLimits, tagsByKey }",
        "tagsByName is not declared",
    ),
    (
        language.names,
        "infra/modules/types.bicep",
        "@export()\n@description('Tags",
        "@description('Tags",
        "types.bicep exports no tagsByName",
    ),
    (language.names, REGION, "param tags tagsByName", "param tags taggs", "taggs is not declared"),
    (
        language.typed,
        MAIN,
        "param allowedIpRanges string[] = []",
        "param allowedIpRanges array = []",
        "allowedIpRanges is of any array",
    ),
    (language.typed, REGION, "param tags tagsByName", "param tags object", "tags is of any object"),
    (
        language.typed,
        MAIN,
        "output REGISTRY_APP_NAMES string[]",
        "output REGISTRY_APP_NAMES array",
        "REGISTRY_APP_NAMES is of any array",
    ),
    (language.modules, MAIN, "    cacheTtl: cacheTtl\n", "", "needs the parameter cacheTtl"),
    (
        language.modules,
        MAIN,
        "    regions: regions\n",
        "    region: regions\n",
        "no parameter region",
    ),
    (language.modules, MAIN, "'modules/monitoring.bicep'", "'modules/monitor.bicep'", "no module"),
    (language.modules, REGION, "app.outputs.id,", "app.outputs.ident,", "no output ident"),
    (
        language.secrets,
        APP,
        "@secure()\nparam adminPassword string",
        "param adminPassword string",
        "adminPassword is a secret",
    ),
    (language.types, APP, "httpsOnly: true", "httpOnly: true", "httpOnly"),
    (language.types, APP, "maximumInstanceCount: maximumInstanceCount", "maxInstances: 1", "maxIn"),
    (language.types, APP, "      siteUpdateStrategy: ", "      siteUpdates: ", "siteUpdates: the"),
    (language.types, STORAGE, "kind: 'StorageV2'", "kind: 'StorageV3'", "StorageV3"),
    (language.types, STORAGE, "  sku: { name: sku }\n", "", "sku: is required"),
    (language.types, STORAGE, "days: 7 }\n    cont", "days: '7' }\n    cont", "wants int"),
    (
        language.types,
        "infra/modules/network.bicep",
        "serviceName: 'Microsoft.App/environments'",
        "service: 'Microsoft.App/environments'",
        "no such property",
    ),
    (
        versions_rule.recent,
        MONITORING,
        "workspaces@2025-02-01",
        "workspaces@2022-10-01",
        "workspaces@2022-10-01 is older than two years: use a newer one",
    ),
    (
        versions_rule.recent,
        ENDPOINT,
        "trafficManagerProfiles@2022-04-01",
        "trafficManagerProfiles@2018-08-01",
        "NEWEST has Microsoft.Network/trafficManagerProfiles@2022-04-01, which no template uses",
    ),
    (
        instance_rule.defaults,
        MAIN,
        "param perInstanceConcurrency int = 2",
        "param perInstanceConcurrency int = 4",
        "perInstanceConcurrency is 4, the rule has 2",
    ),
    (
        instance_rule.defaults,
        MAIN,
        "@allowed([512, 2048, 4096])",
        "@allowed([512, 2048, 4096, 8192])",
        "instances have",
    ),
    (instance_rule.defaults, MAIN, "@maxValue(587)", "@maxValue(750)", "any instance holds is 587"),
    (instance_rule.holds, MAIN, "* 75 - 25000) / 480", "* 75 - 25000) / 470", "is wrong for"),
    (instance_rule.holds, MAIN, "- 400 - 175 *", "- 300 - 175 *", "is wrong for"),
    (instance_rule.holds, MAIN, "- 400 - 175 *", "- 400 - 100 *", "is wrong for"),
    (
        instance_rule.holds,
        MAIN,
        "any(mostRequests >= perInstanceConcurrency)",
        "any(mostRequests > perInstanceConcurrency)",
        "is wrong for",
    ),
    (
        instance_rule.holds,
        MAIN,
        "any(workerProcesses == 1 || instanceMemoryMB == 4096)",
        "any(workerProcesses == 1 || instanceMemoryMB >= 2048)",
        "twoWorkerProcessesNeedInstanceMemoryMB4096 is wrong for",
    ),
    (
        instance_rule.settings,
        APP,
        "maxConcurrentRequests: string(mostRequests)",
        "maxConcurrentRequests: string(perInstanceConcurrency)",
        "maxConcurrentRequests is not",
    ),
    (
        instance_rule.settings,
        APP,
        "any(workerProcesses == 1 ? null : string(workerProcesses))",
        "string(workerProcesses)",
        "FUNCTIONS_WORKER_PROCESS_COUNT is not",
    ),
    (
        instance_rule.settings,
        REGION,
        "    mostRequests: mostRequests\n",
        "    mostRequests: 4\n",
        "mostRequests does not reach the app",
    ),
    (settings_rule.settings, APP, "REGISTRY_GC_GRACE:", "REGISTRY_GRACE:", "REGISTRY_GRACE"),
    (settings_rule.settings, APP, "      REGISTRY_PEERS: peers\n", "", "REGISTRY_PEERS"),
    (
        settings_rule.settings,
        "registry_core/settings/__init__.py",
        'duration(env, "REGISTRY_CACHE_TTL"',
        'duration(env, "REGISTRY_CACHE_LIFE"',
        "REGISTRY_CACHE_LIFE",
    ),
    (
        settings_rule.flex,
        APP,
        "      REGISTRY_CACHE_TTL: cacheTtl\n",
        "      WEBSITE_RUN_FROM_PACKAGE: '1'\n",
        "WEBSITE_RUN_FROM_PACKAGE: Flex Consumption does not take it",
    ),
    (
        settings_rule.flex,
        APP,
        "      REGISTRY_CACHE_TTL: cacheTtl\n",
        "      FUNCTIONS_WORKER_RUNTIME: 'python'\n",
        "FUNCTIONS_WORKER_RUNTIME: Flex Consumption does not take it",
    ),
    (
        settings_rule.flex,
        APP,
        "      http20Enabled: true\n",
        "      linuxFxVersion: 'Python|3.13'\n",
        "linuxFxVersion: Flex Consumption does not take it",
    ),
    (
        settings_rule.flex,
        APP,
        "      http20Enabled: true\n",
        "      FtpsState: 'Disabled'\n",
        "FtpsState: Flex Consumption does not take it",
    ),
    (
        settings_rule.flex,
        APP,
        "      http20Enabled: true\n",
        "      functionAppScaleLimit: 10\n",
        "functionAppScaleLimit: Flex Consumption does not take it",
    ),
    (
        settings_rule.flex,
        APP,
        "      AzureWebJobsDisableHomepage: 'true'\n",
        "      AzureWebJobsDisableHomepage: 'true'\n      AzureWebJobsStorage: ''\n",
        "AzureWebJobsStorage: beside",
    ),
    (
        settings_rule.flex,
        APP,
        "      AzureWebJobsDisableHomepage: 'true'\n",
        "",
        "AzureWebJobsDisableHomepage",
    ),
    (alerts_rule.billed, MONITORING, "!empty(alertEmail)", "!empty(name)", "who has an address"),
    (
        alerts_rule.billed,
        MONITORING,
        "scheduledQueryRules@2026-03-01' = if (alerted) {",
        "scheduledQueryRules@2026-03-01' = {",
        "logAlert is made",
    ),
    (
        alerts_rule.billed,
        REGION,
        "'region-alerts.bicep' = if (!empty(actionGroupId)) {",
        "'region-alerts.bicep' = {",
        "where nobody hears",
    ),
    (
        alerts_rule.billed,
        "infra/modules/region-alerts.bicep",
        "evaluationFrequency: 'PT15M'",
        "evaluationFrequency: 'PT1M'",
        "asked every PT1M",
    ),
    (alerts_rule.told, MONITORING, "'_LogOperation |", "'Operation |", "past the daily cap"),
    (alerts_rule.told, MONITORING, " daily-cap: nothing", " Nothing", "nothing of daily-cap"),
    (
        alerts_rule.told,
        "function_app.py",
        "@app.queue_trigger(queue_name=QUEUE, connection=",
        "@app.timer_trigger(schedule=",
        "a poison queue is asked for",
    ),
    (
        alerts_rule.told,
        MONITORING,
        'has "slipway-work-poison" |',
        'has "slipway-work" |',
        "a poison queue is asked for",
    ),
    (
        alerts_rule.budget,
        MAIN,
        "'modules/budget.bicep' = if (!empty(budgetEmails)) {",
        "'modules/budget.bicep' = {",
        "where nobody hears",
    ),
    (
        alerts_rule.budget,
        MAIN,
        "    emails: budgetAddresses\n",
        "    emails: split(budgetEmails, ',')\n",
        "the emails of",
    ),
    (
        alerts_rule.budget,
        MAIN,
        "    start: budgetStart\n",
        "    start: '2027-01'\n",
        "the start of",
    ),
    (
        alerts_rule.budget,
        MAIN,
        "param budgetStart string = ''",
        "param budgetStart string = utcNow('yyyy-MM')",
        "stays the same",
    ),
    (alerts_rule.budget, BUDGET, "'${start}-01'", "utcNow('yyyy-MM-01')", "stays the same"),
    (
        alerts_rule.budget,
        MAIN,
        "any(empty(budgetEmails) || length(budgetStart) == 7)",
        "any(empty(budgetEmails))",
        "without a start",
    ),
    (
        alerts_rule.budget,
        BUDGET,
        "thresholdType: 'Forecasted'\n        contactEmails: emails",
        "thresholdType: 'Forecasted'\n        contactEmails: []",
        "nobody hears of expected",
    ),
    (language.types, BUDGET, "'Forecasted'", "'Expected'", "'Expected' is none of"),
    (language.types, BUDGET, "timeGrain: 'Monthly'\n", "", "timeGrain: is required"),
    (
        language.types,
        BUDGET,
        "threshold: 80\n        thresholdType",
        "threshold: 80\n        kind",
        "no such property",
    ),
    (
        settings_rule.limits,
        APP,
        "limits.?writeTotal ?? '')",
        "limits.?write ?? '')",
        "WRITE_TOTAL is given by",
    ),
    (settings_rule.limits, MAIN, "  referrers: ''\n", "", "referrers is refused as misspelt"),
    (settings_rule.limits, MAIN, "  signIn: ''\n", "  signOn: ''\n", "signOn: there is no"),
    (settings_rule.limits, MAIN, "length(limits) == length(noLimits)", "true", "is not refused"),
    (domain_rule.certificates, REGION, "  dependsOn: [domain]\n", "", "after the domain was bound"),
    (
        domain_rule.certificates,
        "infra/modules/managed-certificate.bicep",
        "    canonicalName: domain\n",
        "    hostNames: [domain]\n",
        "canonicalName",
    ),
    (
        domain_rule.certificates,
        "infra/modules/managed-certificate.bicep",
        "    sslState: 'SniEnabled'\n",
        "    sslState: 'Disabled'\n",
        "not bound with the certificate",
    ),
    (domain_rule.cors, STORAGE, "'GET', 'HEAD'", "'GET', 'HEAD', 'PUT'", "may read, and no more"),
    (domain_rule.cors, STORAGE, "allowedOrigins: ['*']", "allowedOrigins: corsOrigins", "null"),
    (domain_rule.cors, STORAGE, "'Content-Range', ", "", "Content-Range is not exposed"),
    (domain_rule.cors, STORAGE, "allowedHeaders: ['range', ", "allowedHeaders: [", "a part of"),
    (domain_rule.cors, STORAGE, "empty(corsOrigins) ? [] : ", "", "without origins"),
    (domain_rule.cors, REGION, "corsOrigins: []", "corsOrigins: corsOrigins", "the host's storage"),
    (
        roles_rule.operations,
        ROLES,
        "scope: registryStorage::blobs::system\n  properties: {\n    principalId: principalId",
        "scope: hostStorage\n  properties: {\n    principalId: principalId",
        "on system",
    ),
    (
        roles_rule.operations,
        ROLES,
        "name: guid(registryStorage.id, principalId, blobDelegator)\n  scope: registryStorage",
        "name: guid(registryStorage.id, principalId, blobDelegator)\n  scope: hostStorage",
        "generateUserDelegationKey",
    ),
    (
        roles_rule.operations,
        CONTENT,
        'Request("HEAD", self._url(name))',
        'Request("PATCH", self._url(name))',
        "PATCH: no rule says",
    ),
    (
        roles_rule.operations,
        SDK,
        "self._blobs.get_user_delegation_key(start, expiry)",
        "self._blobs.find_blobs_by_tags(start, expiry)",
        "find_blobs_by_tags",
    ),
    (
        roles_rule.least,
        ROLES,
        "  scope: registryStorage::blobs::content\n",
        "  scope: registryStorage\n",
        "two containers will do",
    ),
    (roles_rule.least, ROLES, "ba92f5b4-", "00000000-", "not one we know"),
    (
        roles_rule.identity_only,
        STORAGE,
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "allowSharedKeyAccess",
    ),
    (roles_rule.identity_only, STORAGE, "TLS1_2", "TLS1_1", "minimumTlsVersion"),
    (
        roles_rule.identity_only,
        STORAGE,
        "allowBlobPublicAccess: false",
        "allowBlobPublicAccess: true",
        "allowBlobPublicAccess",
    ),
    (
        roles_rule.identity_only,
        STORAGE,
        "isVersioningEnabled: false",
        "isVersioningEnabled: true",
        "version",
    ),
    (host_rule.host, "host.json", '"routePrefix": ""', '"routePrefix": "api"', "probes"),
    (host_rule.host, "host.json", "Exception;Trace", "Exception", "sampled"),
    (
        host_rule.host,
        "host.json",
        '"default": "Warning"',
        '"default": "Information"',
        "the level of default is Warning",
    ),
    (
        host_rule.host,
        "host.json",
        '"Function.registry_v2.User": "Information"',
        '"Function.registry_v2.User": "Error"',
        "the level of Function.registry_v2.User is Information",
    ),
    (
        host_rule.host,
        "host.json",
        '"Function.registry_v2.User"',
        '"Function.registry_v3.User"',
        "no level for Function.registry_v2.User",
    ),
    (
        host_rule.host,
        "function_app.py",
        '@app.function_name("healthz")\n',
        '@app.function_name("well")\n',
        "Function.healthz.User: no function of that name",
    ),
    (
        host_rule.host,
        "function_app.py",
        '@app.function_name("registry_v2")\n',
        '@app.route(route="x")\nasync def x(): ...\n\n\n@app.function_name("registry_v2")\n',
        "no level for Function.x.User",
    ),
    (
        host_rule.host,
        "host.json",
        '"routePrefix": ""',
        '"routePrefix": "", "maxConcurrentRequests": 4',
        "maxConcurrentRequests is what the templates set",
    ),
    (
        host_rule.host,
        "host.json",
        '"routePrefix": ""',
        '"routePrefix": "", "maxOutstandingRequests": 4',
        "429 in the registry's place",
    ),
    (host_rule.host, "host.json", '"Host.Results"', '"Host.Aggregator"', "requests are counted"),
    (
        host_rule.host,
        "host.json",
        '"enableDependencyTracking": false',
        '"enableDependencyTracking": true',
        "as a dependency",
    ),
    (host_rule.host, "host.json", "00:10:00", "00:01:00", "functionTimeout"),
    (host_rule.host, ENDPOINT, "path: '/healthz'", "path: '/health'", "/health, which no"),
    (
        host_rule.host,
        APP,
        "perInstanceConcurrency: perInstanceConcurrency",
        "concurrency: 4",
        "one request",
    ),
    (
        host_rule.host,
        MONITORING,
        'has "ContainerRegistryLoginEvents"',
        'has "ContainerRegistrySignInEvents"',
        "no such records",
    ),
    (host_rule.host, MONITORING, "Line.ResultType", "Line.Outcome", "Outcome"),
    (host_rule.host, "host.json", '"extensionBundle"', '"bundle"', "extensionBundle"),
    (
        host_rule.host,
        APP,
        "RegistryStorage__queueServiceUri:",
        "RegistryStorage__queueServerUri:",
        "queue triggers need",
    ),
    (host_rule.host, REGION, "queues: ['slipway-work']", "queues: ['work']", "slipway-work"),
    (host_rule.reachable_by_az, MAIN, "'${name}${region}'", "'${name}-${region}'", "hyphen"),
    (docs_rule.parameters, DEPLOY, "| `zoneRedundant` |", "| `zonesRedundant` |", "zoneRedundant"),
    (docs_rule.parameters, DEPLOY, "| `cacheTtl` | `5s` |", "| `cacheTtl` | `30s` |", "5s"),
    (docs_rule.given, "infra/main.bicepparam", "param locations", "param location", "locations"),
    (docs_rule.given, "infra/main.parameters.json", '"locations"', '"regions"', "locations"),
    (
        docs_rule.environment,
        "infra/main.bicepparam",
        "'REGISTRY_LOCATIONS'",
        "'REGISTRY_REGIONS'",
        f"{DEPLOY}: says nothing of REGISTRY_REGIONS",
    ),
    (
        docs_rule.environment,
        ".github/workflows/deploy.yml",
        "      REGISTRY_ADMIN_USER_ENABLED: ",
        "      REGISTRY_ADMIN_ENABLED: ",
        "does not set REGISTRY_ADMIN_USER_ENABLED",
    ),
    (docs_rule.mentioned, DEPLOY, "set `bindDomain` to", "set `bindDomains` to", "bindDomains"),
    (
        docs_rule.mentioned,
        MAIN,
        "output REGISTRY_DNS_TARGET",
        "output REGISTRY_CNAME",
        "DNS_TARGET",
    ),
    (docs_rule.limits, "docs/limits.md", "| 4096 | 4 | 146 |", "| 4096 | 8 | 146 |", "do not hold"),
    (
        docs_rule.limits,
        "docs/limits.md",
        "250) / 4.8",
        "200) / 4.8",
        "by its rule 2048 MB hold",
    ),
    (
        docs_rule.limits,
        "docs/limits.md",
        "| 4096 | 4 | 146 |",
        "| 4096 | 4 | 140 |",
        "4 bodies of 146",
    ),
    (
        docs_rule.limits,
        MAIN,
        "param requestBodyLimitMiB int = 100",
        "param requestBodyLimitMiB int = 90",
        "default",
    ),
    (docs_rule.roles, DEPLOY, "Storage Blob Delegator |", "Delegator |", "blobDelegator"),
    (docs_rule.cost, "infra/modules/region-alerts.bicep", "'ServerBusyError'", "", "time series"),
    (
        docs_rule.cost,
        "function_app.py",
        '@app.timer_trigger(schedule="0 17 3 * * *", ',
        '@app.route(route="rotate", ',
        "timers",
    ),
    (docs_rule.cost, MONITORING, "scheduledQueryRules@", "otherRules@", "alerts on logs"),
    (docs_rule.alerts, DEPLOY, "| daily-cap |", "| cap |", "daily-cap"),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_templates_keep_to_the_rule(rule: Rule) -> None:
    assert list(rule(Templates.read())) == []


@pytest.mark.parametrize(
    ("rule", "path", "old", "new", "told"),
    MUTATIONS,
    ids=[f"{rule.__name__}-{told or path}" for rule, path, _, _, told in MUTATIONS],
)
def test_the_rule_catches_a_mistake(rule: Rule, path: str, old: str, new: str, told: str) -> None:
    found = list(rule(Templates.read().replaced(path, old, new)))
    assert any(told in fault for fault in found), found


def test_every_rule_has_a_mistake_that_it_catches() -> None:
    assert {rule for rule, *_ in MUTATIONS} == set(RULES)


def test_the_types_that_are_not_checked_are_these() -> None:
    """What their properties are was read in Microsoft's reference, and no program checks it."""
    assert resource_types.unknown() == {
        "Microsoft.Insights/actionGroups",
        "Microsoft.Insights/metricAlerts",
        "Microsoft.Insights/scheduledQueryRules",
        "Microsoft.Network/privateDnsZones",
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
        "Microsoft.Network/trafficManagerProfiles",
    }


def test_versions_are_those_that_the_types_are_known_of() -> None:
    for file in Templates.read().modules():
        for resource in file.resources:
            version = resource.reference.partition("@")[2]
            if version and resource.type_name not in resource_types.unknown():
                known = resource_types.version(resource.type_name)
                newer = resource_types.NEWER.get(resource.type_name.partition("/")[0])
                assert version == (newer or known), resource
                assert not newer or newer > known, f"take {resource.type_name} out of NEWER"


def test_in_some_years_every_version_is_told() -> None:
    later = "\n".join(versions_rule.recent(Templates.read(), date(2031, 1, 1)))
    for file in Templates.read().modules():
        for resource in file.resources:
            if "@" in resource.reference and resource.type_name not in versions_rule.NEWEST:
                assert f"{resource.type_name}@" in later
    assert "look again" in later
    assert "look again" not in "\n".join(
        versions_rule.recent(Templates.read(), versions_rule.LOOKED)
    )


# What a deployment is given, and the condition that ends it.
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"locations": ["westeurope", "West Europe"]}, "locationsNamesEachRegionOnce"),
    ({"locations": ["westeurope", "eastus2", " westeurope"]}, "locationsNamesEachRegionOnce"),
    ({"publicAccess": False}, "publicAccessOffNeedsPrivateEndpoints"),
    (
        {"locations": ["westeurope", "eastus2"], "allowedIpRanges": ["192.0.2.0/24"]},
        "allowedIpRangesIsForOneRegion",
    ),
    ({"adminUserEnabled": True}, "adminUserEnabledNeedsAdminPasswordOrKeepAdminPassword"),
    ({"managedCertificate": True}, "managedCertificateNeedsCustomDomainInOneOpenRegion"),
    (
        {"managedCertificate": True, "customDomain": "r.example.com", "certificateVaultId": "/x"},
        "managedCertificateIsInsteadOfCertificateVaultId",
    ),
    (
        {"keepWarm": "0 */4 * * * *", "allowedIpRanges": ["192.0.2.0/24"]},
        "keepWarmNeedsNoAllowedIpRanges",
    ),
    ({"requestsPerMinute": {"reads": 1}}, "requestsPerMinuteHasNamesOfLimits"),
    ({"budgetEmails": "a@example.com"}, "budgetEmailsNeedsBudgetStart"),
    ({"workerProcesses": 2}, "twoWorkerProcessesNeedInstanceMemoryMB4096"),
    (
        {"perInstanceConcurrency": 4},
        "instanceMemoryMBHoldsPerInstanceConcurrencyTimesRequestBodyLimitMiB",
    ),
)
TAKEN: tuple[dict[str, Any], ...] = (
    {},
    {"locations": ["westeurope", "West Europe 2", "West US"]},
    {"publicAccess": False, "privateEndpoints": True},
    {"adminUserEnabled": True, "keepAdminPassword": True},
    {"requestsPerMinute": {"read": 1, "signInTotal": 0}},
    {"budgetEmails": "a@example.com", "budgetStart": "2027-01"},
    {"workerProcesses": 2, "instanceMemoryMB": 4096},
    {"perInstanceConcurrency": 4, "requestBodyLimitMiB": 66},
    {"instanceMemoryMB": 512, "perInstanceConcurrency": 1, "requestBodyLimitMiB": 26},
)


@pytest.mark.parametrize(("given", "condition"), REFUSED, ids=[each[1] for each in REFUSED])
def test_parameters_that_contradict_each_other_are_refused(
    given: dict[str, Any], condition: str
) -> None:
    evaluation = Evaluation(Templates.read().main, **{"locations": ["westeurope"], **given})
    assert evaluation.broken() == [condition]


@pytest.mark.parametrize("given", TAKEN, ids=str)
def test_parameters_that_fit_together_are_taken(given: dict[str, Any]) -> None:
    evaluation = Evaluation(Templates.read().main, **{"locations": ["westeurope"], **given})
    assert evaluation.broken() == []


def test_every_condition_is_broken_by_parameters_of_this_test() -> None:
    conditions = Templates.read().file("infra/modules/conditions.bicep").parameters
    assert {condition for _, condition in REFUSED} == set(conditions)


def test_addresses_of_a_budget_may_have_spaces_around_them() -> None:
    main = Templates.read().main
    told = Evaluation(main, budgetEmails=" a@example.com, b@example.com ,").variable(
        "budgetAddresses"
    )
    assert told == ["a@example.com", "b@example.com"]
    assert Evaluation(main, budgetEmails="").variable("budgetAddresses") == []
