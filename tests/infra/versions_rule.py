"""How old the versions of Azure's API in the templates are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from tests.infra.templates import Templates

OLDEST = timedelta(days=730)
"""As the compiler's own rule has it (use-recent-api-versions)."""
LOOKED = date(2026, 11, 28)
LOOK_AGAIN = timedelta(days=365)
NEWEST = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Consumption/budgets": "2024-08-01",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2024-06-01",
    "Microsoft.Network/trafficManagerProfiles": "2022-04-01",
}
"""Older ones, after which the compiler 0.49.2 knew none but previews on the day `LOOKED`."""
_WHAT_TO_DO = (
    "use a newer one that the compiler knows (learn.microsoft.com/azure/templates), and write its "
    "properties anew with fetch_resource_types.py. If there are only previews, name this one in "
    "NEWEST of tests/infra/versions_rule.py"
)


def recent(templates: Templates, today: date | None = None) -> Iterator[str]:
    """No version is older than two years, unless there is no newer one."""
    now = today or datetime.now(UTC).date()
    used = set()
    for file in templates.modules():
        for resource in file.resources:
            version = resource.reference.partition("@")[2]
            if not version:
                continue
            used.add((resource.type_name, version))
            if NEWEST.get(resource.type_name) == version:
                continue
            if now - date.fromisoformat(version[:10]) > OLDEST:
                yield (
                    f"{file.path}: {resource.type_name}@{version} is older than two years: "
                    f"{_WHAT_TO_DO}"
                )
    for each in sorted(NEWEST.items() - used):
        yield f"NEWEST has {each[0]}@{each[1]}, which no template uses: take it out"
    if now - LOOKED > LOOK_AGAIN:
        yield (
            f"on {LOOKED} there was nothing newer than what NEWEST has, and that is a year ago: "
            "look again, use what is newer now, and set LOOKED of tests/infra/versions_rule.py"
        )
