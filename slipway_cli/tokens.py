"""`slipway token`: repository-scoped tokens, each with two passwords, kept as hashes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from registry_core.access.generation import new_generation
from registry_core.access.store import Access, Conflict
from registry_core.access.tokens import PASSWORD_NAMES, StoredPassword, StoredToken, new_password
from registry_core.model.roles import ScopeMap
from registry_core.settings import Settings
from slipway_cli import scope_maps
from slipway_cli.command import (
    CommandError,
    Row,
    access,
    add,
    add_expiry,
    confirm,
    expiry,
    say,
    written,
)


def register(nouns: Any) -> None:
    """Adds the noun and its commands."""
    noun = nouns.add_parser("token", help="user names with passwords for chosen repositories")
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    create = add(
        verbs,
        "create",
        _create,
        "Make a token with two passwords, which are shown only once.",
        "token create --name ci-web --repository team/web content/read content/write",
    )
    create.add_argument("--name", "-n", required=True, help=scope_maps.NAME_HELP)
    allowed = create.add_mutually_exclusive_group(required=True)
    allowed.add_argument(
        "--scope-map", metavar="NAME", help="an existing scope map, or one of the system"
    )
    scope_maps.add_repositories(allowed, "--repository")
    create.add_argument("--status", choices=("enabled", "disabled"), default="enabled")
    create.add_argument("--no-passwords", action="store_true", help="make no passwords yet")
    add_expiry(create)
    add(verbs, "list", _list, "List the tokens. Passwords are never shown.", "token list -o json")
    show = add(verbs, "show", _show, "Show a token.", "token show --name ci-web")
    show.add_argument("--name", "-n", required=True)
    update = add(
        verbs,
        "update",
        _update,
        "Enable or disable a token, or change its scope map. It takes effect within a minute.",
        "token update --name ci-web --status disabled",
    )
    update.add_argument("--name", "-n", required=True)
    update.add_argument("--status", choices=("enabled", "disabled"))
    update.add_argument("--scope-map", metavar="NAME")
    delete = add(verbs, "delete", _delete, "Delete a token.", "token delete --name ci-web --yes")
    delete.add_argument("--name", "-n", required=True)
    delete.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")
    _register_passwords(verbs)


def _register_passwords(verbs: Any) -> None:
    renew = add(
        verbs,
        "renew",
        _generate,
        "Make new passwords, which are shown only once. The old ones stop within a minute.",
        "token renew --name ci-web --password2 --expiration-in-days 90",
    )
    credential = verbs.add_parser("credential", help="a token's passwords")
    inner = credential.add_subparsers(required=True, metavar="COMMAND")
    generate = add(
        inner,
        "generate",
        _generate,
        "Make new passwords, which are shown only once. The old ones stop within a minute.",
        "token credential generate --name ci-web --password1",
    )
    remove = add(
        inner,
        "delete",
        _remove,
        "Delete passwords.",
        "token credential delete --name ci-web --password2",
    )
    for parser in (renew, generate, remove):
        parser.add_argument("--name", "-n", required=True)
        for name in PASSWORD_NAMES:
            parser.add_argument(f"--{name}", action="store_true", help="only this password")
    for parser in (renew, generate):
        add_expiry(parser)


async def _create(arguments: argparse.Namespace) -> Row | list[Row]:
    scope_maps.check_name(arguments.name, "token")
    ends, now = expiry(arguments), datetime.now(UTC)
    made = [] if arguments.no_passwords else [_made(name, ends, now) for name in PASSWORD_NAMES]
    async with access() as rows:
        if await rows.token(arguments.name) is not None:
            raise CommandError(_exists(arguments.name))
        scope_map = arguments.scope_map or f"{arguments.name}-scope-map"
        if arguments.scope_map:
            await _check_scope_map(rows, scope_map)
        else:
            actions = scope_maps.actions_of(arguments.repository)
            description = f"made for the token {arguments.name}"
            await scope_maps.make(rows, ScopeMap(scope_map, actions, description))
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
    return _shown_once(arguments.name, made) if made else _row(token)


def _made(name: str, ends: datetime | None, now: datetime) -> tuple[StoredPassword, str]:
    return new_password(name, ends, now)


def _exists(name: str) -> str:
    return f"the token {name} already exists; `slipway token renew` makes new passwords for it"


def _shown_once(name: str, made: Sequence[tuple[StoredPassword, str]]) -> list[Row]:
    """The passwords, and how to use them."""
    server = Settings.from_environment().login_servers[0]
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


async def _list(_: argparse.Namespace) -> list[Row]:
    async with access() as rows:
        return [_row(token) for token in await rows.tokens()]


async def _show(arguments: argparse.Namespace) -> Row:
    async with access() as rows:
        return _row(await _find(rows, arguments.name))


async def _update(arguments: argparse.Namespace) -> Row:
    if arguments.status is None and arguments.scope_map is None:
        raise CommandError("nothing to change: use --status or --scope-map")
    async with access() as rows:
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
        return _row(changed)


async def _delete(arguments: argparse.Namespace) -> None:
    async with access() as rows:
        token = await _find(rows, arguments.name)
        confirm(arguments, f"Delete the token {arguments.name}?")
        try:
            await rows.delete_token(token)
        except Conflict as error:
            raise CommandError(scope_maps.MEANWHILE) from error


async def _generate(arguments: argparse.Namespace) -> list[Row]:
    ends, now = expiry(arguments), datetime.now(UTC)
    made = [_made(name, ends, now) for name in _chosen(arguments) or PASSWORD_NAMES]
    async with access() as rows:
        token = await _find(rows, arguments.name)
        passwords = {each.name: each for each in token.passwords}
        passwords |= {stored.name: stored for stored, _ in made}
        ordered = tuple(passwords[name] for name in sorted(passwords))
        await _replace(rows, replace(token, passwords=ordered))
    return _shown_once(arguments.name, made)


async def _remove(arguments: argparse.Namespace) -> Row:
    chosen = _chosen(arguments)
    if not chosen:
        raise CommandError("choose the password: --password1 or --password2")
    async with access() as rows:
        token = await _find(rows, arguments.name)
        left = tuple(each for each in token.passwords if each.name not in chosen)
        changed = replace(token, passwords=left)
        await _replace(rows, changed)
        return _row(changed)


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
        "status": "enabled" if token.enabled else "disabled",
        "scopeMap": token.scope_map,
        "created": written(token.created),
        "passwords": passwords,
    }
