"""`slipway token`: repository-scoped tokens, each with two passwords, kept as hashes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from registry_core.access.generation import new_generation
from registry_core.access.scope_maps import StoredScopeMap
from registry_core.access.store import Access, Conflict
from registry_core.access.tokens import PASSWORD_NAMES, StoredPassword, StoredToken, new_password
from registry_core.model.roles import ScopeMap
from slipway_cli import scope_maps
from slipway_cli.command import (
    CommandError,
    Row,
    Shaped,
    expiry,
    is_asked,
    say,
    written,
)
from slipway_cli.stores import access, address, confirm

_Made: TypeAlias = Sequence[tuple[StoredPassword, str]]
"""New passwords, as they are kept and as they are told."""


async def create(arguments: argparse.Namespace) -> Shaped:
    """Makes a token. Raises `CommandError`, as all of these do."""
    scope_maps.check_name(arguments.name, "token")
    now = datetime.now(UTC)
    ends = expiry(arguments, now)
    made = (
        [] if arguments.no_passwords else [new_password(name, ends, now) for name in PASSWORD_NAMES]
    )
    async with access(arguments) as rows:
        if await rows.token(arguments.name) is not None:
            raise CommandError(_exists(arguments.name))
        scope_map = arguments.scope_map or f"{arguments.name}-scope-map"
        if arguments.scope_map:
            await _check_scope_map(rows, scope_map)
        else:
            actions = scope_maps.actions_of(arguments.repository)
            await scope_maps.make(rows, ScopeMap(scope_map, actions, _made_for(arguments.name)))
        token = StoredToken(
            arguments.name,
            scope_map,
            arguments.status == "enabled",
            now,
            new_generation(),
            tuple(stored for stored, _ in made),
        )
        try:
            await rows.add_token(token)
        except Conflict as error:
            raise CommandError(_exists(arguments.name)) from error
    rows_shown = _shown_once(arguments.name, made, arguments) if made else _row(token)
    return Shaped(rows_shown, _document(token, made))


def _exists(name: str) -> str:
    return f"the token {name} already exists; `slipway token renew` makes new passwords for it"


def _shown_once(name: str, made: _Made, arguments: argparse.Namespace) -> list[Row]:
    """The passwords as people see them, and how to use them."""
    server = address(arguments.registry) or "<registry>"
    say("These passwords are shown only once. To sign in, give one of them on standard input to:")
    say(f"  docker login {server} -u {name} --password-stdin")
    return [
        {
            "username": name,
            "name": stored.name,
            "value": password,
            "created": written(stored.created),
            "expiry": written(stored.expiry),
        }
        for stored, password in made
    ]


async def list_all(arguments: argparse.Namespace) -> Shaped:
    """Every token."""
    async with access(arguments) as rows:
        tokens = await rows.tokens()
    return Shaped([_row(token) for token in tokens], [_document(token) for token in tokens])


async def show(arguments: argparse.Namespace) -> Shaped:
    """One token."""
    async with access(arguments) as rows:
        return _shaped(await _find(rows, arguments.name))


async def update(arguments: argparse.Namespace) -> Shaped:
    """Changes a token's status or scope map."""
    if arguments.status is None and arguments.scope_map is None:
        raise CommandError("nothing to change: use --status or --scope-map")
    async with access(arguments) as rows:
        token = await _find(rows, arguments.name)
        if arguments.scope_map:
            await _check_scope_map(rows, arguments.scope_map)
        enabled = token.enabled if arguments.status is None else arguments.status == "enabled"
        changed = replace(
            token,
            enabled=enabled,
            scope_map=arguments.scope_map or token.scope_map,
            generation=new_generation(),
        )
        await _replace(rows, changed)
        return _shaped(changed)


async def delete(arguments: argparse.Namespace) -> None:
    """Deletes a token, and the scope map that was made for it."""
    async with access(arguments) as rows:
        token = await _find(rows, arguments.name)
        scope_map = await _own_scope_map(rows, token)
        if scope_map and await _others(rows, token):
            scope_map = None
        along = f" and its scope map {token.scope_map}" if scope_map else ""
        confirm(arguments, f"Delete the token {arguments.name}{along}?")
        try:
            await rows.delete_token(token)
        except Conflict as error:
            raise CommandError(scope_maps.MEANWHILE) from error
        if scope_map is None:
            return
        if await _others(rows, token):
            say(f"The scope map {token.scope_map} stays: another token uses it by now.")
            return
        try:
            await rows.delete_scope_map(scope_map)
        except Conflict:
            say(f"The scope map {token.scope_map} stays: somebody else changed it meanwhile.")


async def _own_scope_map(rows: Access, token: StoredToken) -> StoredScopeMap | None:
    """The scope map that was made for a token."""
    found = await rows.scope_map(token.scope_map)
    is_own = found is not None and found.scope_map.description == _made_for(token.name)
    return found if is_own else None


async def _others(rows: Access, token: StoredToken) -> list[str]:
    """The other tokens that have the same scope map."""
    users = [each.name for each in await rows.tokens() if each.scope_map == token.scope_map]
    return [name for name in users if name != token.name]


def _made_for(name: str) -> str:
    """The description of a scope map that is made with a token."""
    return f"made for the token {name}"


async def generate(arguments: argparse.Namespace) -> Shaped:
    """Makes new passwords for a token."""
    now = datetime.now(UTC)
    asked = expiry(arguments, now)
    chosen = _chosen(arguments) or PASSWORD_NAMES
    async with access(arguments) as rows:
        token = await _find(rows, arguments.name)
        passwords = {each.name: each for each in token.passwords}
        made = [
            new_password(
                name, asked if is_asked(arguments) else end_as_before(passwords.get(name), now), now
            )
            for name in chosen
        ]
        passwords |= {stored.name: stored for stored, _ in made}
        ordered = tuple(passwords[name] for name in sorted(passwords))
        await _replace(rows, replace(token, passwords=ordered))
    document = {
        "passwords": [_password(stored, password) for stored, password in made],
        "username": token.name,
    }
    return Shaped(_shown_once(arguments.name, made, arguments), document)


def end_as_before(old: StoredPassword | None, now: datetime) -> datetime | None:
    """When a new password ends, as it was asked for the old one. Raises `CommandError`.

    As many days from now, if it was a number of days; else at the same time.
    """
    if old is None or old.expiry is None:
        return None
    life = old.expiry - old.created
    days = timedelta(days=round(life / timedelta(days=1)))
    if days and abs(life - days) < timedelta(seconds=1):
        return now + days
    if old.expiry <= now:
        raise CommandError(
            f"{old.name} ended at {written(old.expiry)}: say when the new one ends, by "
            "--expiration-in-days or --expiration"
        )
    return old.expiry


async def remove(arguments: argparse.Namespace) -> Shaped:
    """Deletes passwords of a token."""
    chosen = _chosen(arguments)
    if not chosen:
        raise CommandError("choose the password: --password1 or --password2")
    async with access(arguments) as rows:
        token = await _find(rows, arguments.name)
        left = tuple(each for each in token.passwords if each.name not in chosen)
        changed = replace(token, passwords=left)
        await _replace(rows, changed)
        return _shaped(changed)


def _chosen(arguments: argparse.Namespace) -> list[str]:
    return [name for name in PASSWORD_NAMES if getattr(arguments, name)]


async def _replace(rows: Access, token: StoredToken) -> None:
    try:
        await rows.replace_token(token)
    except Conflict as error:
        raise CommandError(scope_maps.MEANWHILE) from error


async def _check_scope_map(rows: Access, name: str) -> None:
    if await rows.scope_map(name) is None:
        raise CommandError(
            f"the scope map {name} does not exist; `slipway scope-map list` shows them"
        )


async def _find(rows: Access, name: str) -> StoredToken:
    token = await rows.token(name)
    if token is None:
        raise CommandError(f"the token {name} does not exist; `slipway token list` shows them")
    return token


def _row(token: StoredToken) -> Row:
    passwords = [
        f"{each.name} until {written(each.expiry)}" if each.expiry else each.name
        for each in token.passwords
    ]
    return {
        "name": token.name,
        "status": _status(token),
        "scopeMap": token.scope_map,
        "created": written(token.created),
        "passwords": passwords,
    }


def _status(token: StoredToken) -> str:
    return "enabled" if token.enabled else "disabled"


def _document(token: StoredToken, made: _Made = ()) -> Row:
    """A token as `az acr token` prints it; what only Azure has is `null`."""
    values = {stored.name: password for stored, password in made}
    return {
        "creationDate": written(token.created),
        "credentials": {
            "certificates": [],
            "passwords": [_password(each, values.get(each.name)) for each in token.passwords],
            "username": token.name,
        },
        "id": None,
        "name": token.name,
        "objectId": None,
        "provisioningState": "Succeeded",
        "resourceGroup": None,
        "scopeMapId": token.scope_map,
        "status": _status(token),
        "type": "Microsoft.ContainerRegistry/registries/tokens",
    }


def _password(stored: StoredPassword, value: str | None) -> Row:
    return {
        "creationTime": written(stored.created),
        "expiry": written(stored.expiry),
        "name": stored.name,
        "value": value,
    }


def _shaped(token: StoredToken) -> Shaped:
    return Shaped(_row(token), _document(token))
