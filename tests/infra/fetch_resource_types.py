"""Writes `resource_types.json` anew: what Azure's resource types have for properties.

The source is the Azure MCP server, whose tool `bicepschema_get` tells the types that the Bicep
compiler checks against (Azure.Bicep.Types.Az, MIT). It is on PyPI, as `msmcp-azure`:

    pip download --no-deps msmcp-azure && python -m zipfile -e msmcp_azure-*.whl msmcp
    chmod +x msmcp/msmcp_azure/bin/azmcp
    python tests/infra/fetch_resource_types.py msmcp/msmcp_azure/bin/azmcp

Types it does not know are listed in the file as such, and their properties are not checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.infra.resource_types import ANY_NAME, FILE
from tests.infra.templates import Templates


def main() -> None:
    """Asks for every resource type that the templates declare."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PATH-OF-AZMCP")
    wanted = sorted({r.type_name for f in Templates.read().modules() for r in f.resources})
    known: dict[str, Any] = {}
    unknown = []
    for type_name in wanted:
        sys.stderr.write(f"{type_name}\n")
        found = _ask(sys.argv[1], type_name)
        if found is None:
            unknown.append(type_name)
        else:
            known[type_name] = found
    document = {"source": "msmcp-azure 3.0.0, 2026-11-25", "unknown": unknown, "types": known}
    FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def _ask(azmcp: str, type_name: str) -> dict[str, Any] | None:
    environment = {
        **os.environ,
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "AZURE_MCP_COLLECT_TELEMETRY": "false",
    }
    command = [azmcp, "bicepschema", "get", "--resource-type", type_name]
    answer = json.loads(
        subprocess.run(command, capture_output=True, check=False, env=environment).stdout
    )
    if answer["status"] != 200:
        return None
    entries = answer["results"]["BicepSchemaResult"]
    resource = next(e for e in entries if e["$type"] == "Resource" and _is(e, type_name))
    named = {e["name"]: e for e in entries if e["$type"] != "Resource" and "properties" in e}
    for entry in named.values():
        if "additionalPropertiesType" in entry:
            of_any_name = {"name": ANY_NAME, "type": entry["additionalPropertiesType"]}
            entry["properties"] = [*entry["properties"], of_any_name]
    bodies = resource["bodyType"].get("elements") or [resource["bodyType"]]
    needed: dict[str, Any] = {}
    for body in bodies:
        _collect(body["properties"], named, needed)
    version = resource["name"].partition("@")[2]
    return {
        "version": version,
        "bodies": [_compact(body["properties"]) for body in bodies],
        "objects": needed,
    }


def _is(entry: dict[str, Any], type_name: str) -> bool:
    return str(entry["name"]).partition("@")[0].lower() == type_name.lower()


def _compact(properties: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        p["name"]: {
            "type": p["type"],
            **{flag: True for flag in ("Required", "ReadOnly") if flag in p.get("flags", "")},
        }
        for p in properties
    }


def _collect(
    properties: list[dict[str, Any]], named: dict[str, Any], needed: dict[str, Any]
) -> None:
    """The object types that are reached from these properties and can be written."""
    for p in properties:
        if "ReadOnly" in p.get("flags", ""):
            continue
        for part in p["type"].replace("[]", " ").replace("|", " ").split():
            if part in named and part not in needed:
                needed[part] = _compact(named[part]["properties"])
                _collect(named[part]["properties"], named, needed)


if __name__ == "__main__":
    main()
