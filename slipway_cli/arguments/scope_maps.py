"""What `slipway scope-map` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import add, later

NAME_HELP = "5 to 50 characters: letters, digits, '-' and '_'; it does not begin with '_'"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    create = add(
        verbs,
        "create",
        later("scope_maps", "create"),
        "Make a scope map.",
        "scope-map create --name web-push --repository team/web content/read content/write",
    )
    create.add_argument("--name", "-n", required=True, help=NAME_HELP)
    add_repositories(create, "--repository", required=True)
    create.add_argument("--description", default="")
    add(
        verbs,
        "list",
        later("scope_maps", "list_all"),
        "List the scope maps, including those of the system.",
        "scope-map list",
    )
    show = add(
        verbs,
        "show",
        later("scope_maps", "show"),
        "Show a scope map.",
        "scope-map show --name web-push -o json",
    )
    show.add_argument("--name", "-n", required=True)
    update = add(
        verbs,
        "update",
        later("scope_maps", "update"),
        "Change what a scope map allows. It takes effect for all of its tokens within a minute.",
        "scope-map update --name web-push --add-repository team/api content/read",
    )
    update.add_argument("--name", "-n", required=True)
    add_repositories(update, "--add-repository")
    add_repositories(update, "--remove-repository")
    update.add_argument("--description")
    delete = add(
        verbs,
        "delete",
        later("scope_maps", "delete"),
        "Delete a scope map.",
        "scope-map delete --name web-push",
    )
    delete.add_argument("--name", "-n", required=True)
    delete.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")


def add_repositories(
    parser: argparse._ActionsContainer, flag: str, *, required: bool = False
) -> None:
    """A flag that takes a repository and its actions, and may be repeated."""
    parser.add_argument(
        flag,
        action="append",
        nargs="+",
        metavar=("REPOSITORY", "ACTION"),
        required=required,
        default=None if required else [],
        help="a repository (or team/*, or *) and its actions: content/read, content/write, "
        "content/delete, metadata/read, metadata/write. You can repeat it",
    )
