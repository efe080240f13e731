"""`slipway scope-map`: what repository-scoped tokens may do."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import replace

from registry_core.access.scope_maps import MAX_ACTIONS, StoredScopeMap
from registry_core.access.store import Access, Conflict
from registry_core.model.roles import SYSTEM_SCOPE_MAPS, ScopeMap, ScopeMapError, parse_action
from slipway_cli.command import CommandError, Row, add, written
from slipway_cli.stores import access, confirm

MEANWHILE = "somebody else changed it meanwhile: check, and try again"
NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]{4,49}")
NAME_HELP = "5 to 50 characters: letters, digits, '-' and '_'; it does not begin with '_'"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    create = add(
        verbs,
        "create",
        _create,
        "Make a scope map.",
        "scope-map create --name web-push --repository team/web content/read content/write",
    )
    create.add_argument("--name", "-n", required=True, help=NAME_HELP)
    add_repositories(create, "--repository", required=True)
    create.add_argument("--description", default="")
    add(
        verbs,
        "list",
        _list,
        "List the scope maps, including those of the system.",
        "scope-map list",
    )
    show = add(verbs, "show", _show, "Show a scope map.", "scope-map show --name web-push -o json")
    show.add_argument("--name", "-n", required=True)
    update = add(
        verbs,
        "update",
        _update,
        "Change what a scope map allows. It takes effect for all of its tokens within a minute.",
        "scope-map update --name web-push --add-repository team/api content/read",
    )
    update.add_argument("--name", "-n", required=True)
    add_repositories(update, "--add-repository")
    add_repositories(update, "--remove-repository")
    update.add_argument("--description")
    delete = add(
        verbs, "delete", _delete, "Delete a scope map.", "scope-map delete --name web-push"
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


def actions_of(groups: Iterable[list[str]]) -> tuple[str, ...]:
    """The actions that such flags spell, each once. Raises `CommandError`."""
    found: dict[str, None] = {}
    for repository, *actions in groups:
        if not actions:
            raise CommandError(f"name the actions for {repository}, such as content/read")
        for action in actions:
            text = f"repositories/{repository}/{action}"
            try:
                parse_action(text)
            except ScopeMapError as error:
                raise CommandError(str(error)) from error
            found[text] = None
    if len(found) > MAX_ACTIONS:
        raise CommandError(f"a scope map has at most {MAX_ACTIONS} actions")
    return tuple(found)


def check_name(name: str, what: str) -> None:
    """Raises `CommandError` unless it is a name."""
    if not NAME.fullmatch(name):
        raise CommandError(f"the name of a {what} has {NAME_HELP}")


async def make(rows: Access, scope_map: ScopeMap) -> None:
    """Stores a new scope map. Raises `CommandError`."""
    try:
        await rows.add_scope_map(scope_map)
    except Conflict as error:
        raise CommandError(
            f"the scope map {scope_map.name} already exists: update it, or choose another name"
        ) from error


async def _create(arguments: argparse.Namespace) -> Row:
    check_name(arguments.name, "scope map")
    actions = actions_of(arguments.repository)
    async with access(arguments) as rows:
        await make(rows, ScopeMap(arguments.name, actions, arguments.description))
        return _row(await _find(rows, arguments.name))


async def _list(arguments: argparse.Namespace) -> list[Row]:
    async with access(arguments) as rows:
        return [_row(each) for each in await rows.scope_maps()]


async def _show(arguments: argparse.Namespace) -> Row:
    async with access(arguments) as rows:
        return _row(await _find(rows, arguments.name))


async def _update(arguments: argparse.Namespace) -> Row:
    _check_own(arguments.name)
    added = actions_of(arguments.add_repository)
    removed = actions_of(arguments.remove_repository)
    async with access(arguments) as rows:
        stored = await _find(rows, arguments.name)
        actions = [each for each in stored.scope_map.actions if each not in removed]
        actions += [each for each in added if each not in actions]
        changed = replace(stored.scope_map, actions=tuple(actions))
        if len(actions) > MAX_ACTIONS:
            raise CommandError(f"a scope map has at most {MAX_ACTIONS} actions")
        if arguments.description is not None:
            changed = replace(changed, description=arguments.description)
        try:
            await rows.replace_scope_map(stored, changed)
        except Conflict as error:
            raise CommandError(MEANWHILE) from error
        return _row(await _find(rows, arguments.name))


async def _delete(arguments: argparse.Namespace) -> None:
    _check_own(arguments.name)
    async with access(arguments) as rows:
        stored = await _find(rows, arguments.name)
        users = [token.name for token in await rows.tokens() if token.scope_map == arguments.name]
        if users:
            raise CommandError(
                f"these tokens use it: {', '.join(users)}. Give them another scope map first"
            )
        confirm(arguments, f"Delete the scope map {arguments.name}?")
        try:
            await rows.delete_scope_map(stored)
        except Conflict as error:
            raise CommandError(MEANWHILE) from error


def _check_own(name: str) -> None:
    if name in SYSTEM_SCOPE_MAPS:
        raise CommandError(f"{name} belongs to the system and cannot be changed")


async def _find(rows: Access, name: str) -> StoredScopeMap:
    stored = await rows.scope_map(name)
    if stored is None:
        raise CommandError(
            f"the scope map {name} does not exist; `slipway scope-map list` shows them"
        )
    return stored


def _row(stored: StoredScopeMap) -> Row:
    return {
        "name": stored.scope_map.name,
        "type": "UserDefined" if stored.created else "SystemDefined",
        "created": written(stored.created),
        "description": stored.scope_map.description or None,
        "actions": list(stored.scope_map.actions),
    }
