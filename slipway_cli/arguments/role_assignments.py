"""What `slipway role-assignment` takes."""

from __future__ import annotations

import argparse

from registry_core.model.roles import ROLES
from slipway_cli.command import add, later

ASSIGNEE = (
    "the object id of a user, group, service principal or managed identity. For an application, "
    "use the object id of its service principal: az ad sp show --id <application id> --query id -o "
    "tsv. For a managed identity: az identity show … --query principalId -o tsv"
)


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    create = add(
        verbs,
        "create",
        later("role_assignments", "create"),
        "Assign a role.",
        "role-assignment create --assignee 11111111-2222-3333-4444-555555555555 --role AcrPull",
    )
    create.add_argument("--description", default="")
    listing = add(
        verbs,
        "list",
        later("role_assignments", "list_all"),
        "List the assignments.",
        "role-assignment list -o json",
    )
    delete = add(
        verbs,
        "delete",
        later("role_assignments", "delete"),
        "Remove a role. It takes effect within a minute.",
        "role-assignment delete --assignee 11111111-2222-3333-4444-555555555555 --role AcrPull",
    )
    for parser, needed, without in (
        (create, True, "Without it, the assignment is for all repositories (*)"),
        (listing, False, "Without it, the assignments for all of them are listed"),
        (delete, True, "Without it, only the assignment for all repositories (*) is removed"),
    ):
        parser.add_argument("--assignee", required=needed, metavar="OBJECT_ID", help=ASSIGNEE)
        parser.add_argument("--role", required=needed, help=", ".join(ROLES))
        parser.add_argument(
            "--repository",
            action="append",
            metavar="PATTERN",
            help=f"a repository, or a prefix such as team/*. You can repeat it. {without}",
        )
