"""Deployments to evaluate: their parameters, and what each has to come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME = "slipwaytest"
OPERATOR = "11111111-1111-1111-1111-111111111111"
_GIVEN = {
    "environmentName": "test",
    "locations": ["westeurope"],
    "registryName": NAME,
    "operatorPrincipalId": OPERATOR,
    "alertEmail": "operators@example.com",
}


@dataclass(frozen=True)
class Deployment:
    """One, by the parameters that differ from `_GIVEN` and from the defaults."""

    name: str
    given: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All that are given."""
        return {**_GIVEN, **self.given}

    @property
    def apps(self) -> list[str]:
        """The names of the apps, the first region's first."""
        first, *others = self.regions
        return [NAME, *(f"{NAME}{region}" for region in others)] if first else []

    @property
    def resources(self) -> Counter[str]:
        """How many resources there are of each type."""
        found = Counter(
            {
                "Microsoft.Resources/resourceGroups": 1,
                "Microsoft.OperationalInsights/workspaces": 1,
                "Microsoft.Insights/components": 1,
                "Microsoft.Insights/workbooks": 1,
                "Microsoft.Insights/actionGroups": 1,
                "Microsoft.Insights/scheduledQueryRules": 1,
            }
        )
        found["Microsoft.Consumption/budgets"] = int(self._has("budgetEmails"))
        for _ in self.regions:
            found += self._region
        if len(self.regions) > 1:
            found["Microsoft.Network/trafficManagerProfiles"] = 1
        if self._has("privateEndpoints"):
            # The zones are one set for all.
            found["Microsoft.Network/privateDnsZones"] = len(self._zones)
        if self._is_closed:
            pairs = len(self.regions) * (len(self.regions) - 1)
            found["Microsoft.Network/virtualNetworks/virtualNetworkPeerings"] = pairs
        return +found

    @property
    def _region(self) -> Counter[str]:
        """Of one region."""
        found = Counter(
            {
                "Microsoft.ManagedIdentity/userAssignedIdentities": 1,
                "Microsoft.Storage/storageAccounts": 2,
                "Microsoft.Storage/storageAccounts/blobServices": 2,
                "Microsoft.Storage/storageAccounts/blobServices/containers": 3,
                "Microsoft.Storage/storageAccounts/tableServices": 1,
                "Microsoft.Storage/storageAccounts/tableServices/tables": 4,
                "Microsoft.Storage/storageAccounts/queueServices": 1,
                "Microsoft.Storage/storageAccounts/queueServices/queues": 1,
                # Eight of the app, three of the operator.
                "Microsoft.Authorization/roleAssignments": 11,
                "Microsoft.Web/serverfarms": 1,
                "Microsoft.Web/sites": 1,
                "Microsoft.Web/sites/basicPublishingCredentialsPolicies": 2,
                "Microsoft.Web/sites/config": 1,
                "Microsoft.Insights/metricAlerts": 1,
            }
        )
        if self._has_vault:
            found["Microsoft.KeyVault/vaults"] = 1
            given = (self.given.get("adminPassword"), self.given.get("adminPassword2"))
            found["Microsoft.KeyVault/vaults/secrets"] = len([each for each in given if each])
            found["Microsoft.Authorization/roleAssignments"] += 1
        if self._has("customDomain"):
            found["Microsoft.Web/sites/hostNameBindings"] = 1
            found["Microsoft.Web/sites/certificates"] = int(self._has("certificateVaultId"))
        if self._has("privateEndpoints"):
            services = 5 + self._has_vault + self._is_closed
            found["Microsoft.Network/virtualNetworks"] = 1
            found["Microsoft.Network/networkSecurityGroups"] = 2
            found["Microsoft.Network/privateEndpoints"] = services
            found["Microsoft.Network/privateEndpoints/privateDnsZoneGroups"] = services
            found["Microsoft.Network/privateDnsZones/virtualNetworkLinks"] = len(self._zones)
        return found

    @property
    def _zones(self) -> list[str]:
        vault = ["vault"] if self._has_vault else []
        return ["blob", "table", "queue", *vault, *(["app"] if self._is_closed else [])]

    @property
    def regions(self) -> list[str]:
        """As Azure calls them."""
        return [each.lower().replace(" ", "") for each in self.parameters["locations"]]

    @property
    def _has_vault(self) -> bool:
        return self._has("adminUserEnabled") and self.given.get("adminPasswordsInKeyVault", True)

    @property
    def _is_closed(self) -> bool:
        return self._has("privateEndpoints") and not self.given.get("publicAccess", True)

    def _has(self, name: str) -> bool:
        return bool(self.given.get(name))


_VAULT = "Microsoft.KeyVault/vaults"
TWO = ["westeurope", "eastus2"]
DEPLOYMENTS = (
    Deployment("one-region", {}),
    Deployment("two-regions", {"locations": ["West Europe", "East US 2"]}),
    Deployment("three-regions", {"locations": [*TWO, "australiaeast"]}),
    Deployment(
        "zones",
        {
            "zoneRedundant": True,
            "budgetEmails": "a@example.com, b@example.com",
            "budgetStart": "2027-01",
        },
    ),
    Deployment("private-endpoints", {"locations": TWO, "privateEndpoints": True}),
    Deployment("closed", {"locations": TWO, "privateEndpoints": True, "publicAccess": False}),
    Deployment(
        "custom-domain",
        {
            "customDomain": "registry.example.com",
            "certificateVaultId": f"/subscriptions/s/resourceGroups/g/providers/{_VAULT}/v",
            "certificateName": "registry",
        },
    ),
    Deployment("address-ranges", {"allowedIpRanges": ["192.0.2.0/24", "2001:db8::1"]}),
    Deployment(
        "passwords-in-the-vault",
        {"adminUserEnabled": True, "adminPassword": "x" * 16, "privateEndpoints": True},
    ),
    Deployment("password-kept", {"adminUserEnabled": True, "keepAdminPassword": True}),
    Deployment(
        "passwords-in-settings",
        {
            "adminUserEnabled": True,
            "adminPassword": "x" * 16,
            "adminPassword2": "y" * 16,
            "adminPasswordsInKeyVault": False,
        },
    ),
)
