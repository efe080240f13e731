"""`slipway role-assignment`: what users, groups and applications of Entra ID may do."""

from __future__ import annotations

import argparse
import re

from registry_core.access.role_assignments import RoleAssignment
from registry_core.access.store import Conflict
from registry_core.errors import NameInvalid
from registry_core.model.names import RepositoryPattern
from registry_core.model.roles import ROLES
from slipway_cli.arguments.role_assignments import ASSIGNEE
from slipway_cli.command import CommandError, Row, written
from slipway_cli.stores import access

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def create(arguments: argparse.Namespace) -> list[Row]:
    """Assigns a role. Raises `CommandError`, as all of these do."""
    assignments = _asked(arguments)
    async with access(arguments) as rows:
        for assignment in assignments:
            await rows.add_assignment(assignment)
        stored, _ = await rows.assignments()
    return [_row(each) for each in stored if each in assignments]


async def list_all(arguments: argparse.Namespace) -> list[Row]:
    """The assignments that are asked for."""
    async with access(arguments) as rows:
        stored, _ = await rows.assignments()
    assignee = arguments.assignee.lower() if arguments.assignee else None
    role = _role(arguments.role) if arguments.role else None
    return [
        _row(each)
        for each in stored
        if assignee in (None, each.principal)
        and role in (None, each.role)
        and (not arguments.repository or each.pattern.text in arguments.repository)
    ]


async def delete(arguments: argparse.Namespace) -> None:
    """Takes a role away."""
    async with access(arguments) as rows:
        for assignment in _asked(arguments):
            try:
                await rows.delete_assignment(assignment)
            except Conflict as error:
                raise CommandError(
                    f"{assignment.role} is not assigned to {assignment.principal} for "
                    f"{assignment.pattern}; `slipway role-assignment list` shows the assignments"
                ) from error


def _asked(arguments: argparse.Namespace) -> list[RoleAssignment]:
    principal = arguments.assignee.lower()
    if not _GUID.fullmatch(principal):
        raise CommandError(f"--assignee: {ASSIGNEE}")
    role = _role(arguments.role)
    description = getattr(arguments, "description", "")
    return [
        RoleAssignment(principal, role, _pattern(text), None, description)
        for text in arguments.repository or ["*"]
    ]


def _role(text: str) -> str:
    known = {role.lower(): role for role in ROLES}
    if text.lower() not in known:
        raise CommandError(f"--role: use one of {', '.join(ROLES)}")
    return known[text.lower()]


def _pattern(text: str) -> RepositoryPattern:
    try:
        return RepositoryPattern.parse(text)
    except NameInvalid as error:
        raise CommandError(
            f"--repository: {text!r} is not valid: use a name such as team/web, a prefix such as "
            "team/*, or * for all repositories"
        ) from error


def _row(assignment: RoleAssignment) -> Row:
    return {
        "assignee": assignment.principal,
        "role": assignment.role,
        "repository": assignment.pattern.text,
        "created": written(assignment.created),
        "description": assignment.description or None,
    }
