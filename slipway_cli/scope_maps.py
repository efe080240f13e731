"""`slipway scope-map`: what repository-scoped tokens may do."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import replace

from registry_core.access.scope_maps import MAX_ACTIONS, StoredScopeMap
from registry_core.access.store import Access, Conflict
from registry_core.model.roles import SYSTEM_SCOPE_MAPS, ScopeMap, ScopeMapError, parse_action
from slipway_cli.arguments.scope_maps import NAME_HELP
from slipway_cli.command import CommandError, Row, written
from slipway_cli.stores import access, confirm

MEANWHILE = "somebody else changed it meanwhile: check, and try again"
NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]{4,49}")


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


async def create(arguments: argparse.Namespace) -> Row:
    """Makes a scope map. Raises `CommandError`, as all of these do."""
    check_name(arguments.name, "scope map")
    actions = actions_of(arguments.repository)
    async with access(arguments) as rows:
        await make(rows, ScopeMap(arguments.name, actions, arguments.description))
        return _row(await _find(rows, arguments.name))


async def list_all(arguments: argparse.Namespace) -> list[Row]:
    """Every scope map."""
    async with access(arguments) as rows:
        return [_row(each) for each in await rows.scope_maps()]


async def show(arguments: argparse.Namespace) -> Row:
    """One scope map."""
    async with access(arguments) as rows:
        return _row(await _find(rows, arguments.name))


async def update(arguments: argparse.Namespace) -> Row:
    """Changes what a scope map allows."""
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


async def delete(arguments: argparse.Namespace) -> None:
    """Deletes a scope map that no token uses."""
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
