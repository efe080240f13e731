"""`slipway retention`: the rules by which manifests and tags go, and a run by them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from registry_core.lifecycle.retention.policies import Policies, PolicyChanged
from registry_core.lifecycle.retention.policy import (
    BRAKE,
    MAX_BYTES,
    Policy,
    PolicyError,
    Rule,
    Tags,
    age_text,
    parse_age,
)
from registry_core.lifecycle.retention.report import Gone, Run, Visit
from registry_core.lifecycle.retention.retention import How, Retention
from registry_core.model.glob import Glob, GlobError
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.connection import Connection
from registry_core.system import System
from slipway_cli.command import (
    CommandError,
    PartlyDone,
    Result,
    Row,
    Shaped,
    UsageError,
    time_asked,
    written,
)
from slipway_cli.output.cells import count
from slipway_cli.output.progress import Progress
from slipway_cli.stores import PATIENCE_SECONDS, check_schema, connection

_MEANWHILE = "somebody else changed the policy meanwhile: check, and try again"


@asynccontextmanager
async def _registry(arguments: argparse.Namespace) -> AsyncIterator[Connection]:
    """A connection to storage that holds a registry of this schema. Raises `CommandError`."""
    async with connection(arguments.registry) as opened:
        await check_schema(System(opened))
        yield opened


# The policy.


async def show(arguments: argparse.Namespace) -> Result:
    """The rules. Raises `CommandError`, as all of these do."""
    async with _registry(arguments) as opened:
        policy, _ = await _read(opened)
        return _shown(policy)


async def replace_by_file(arguments: argparse.Namespace) -> Result:
    """Replaces all rules by those of a file."""
    try:
        policy = Policy.parse(_content(arguments.file))
    except PolicyError as error:
        raise CommandError(f"{arguments.file}: {error}. Nothing was changed") from error
    async with _registry(arguments) as opened:
        # Also where what is stored cannot be read: this is how it is mended.
        version = await Policies(opened).version()
        return await _write(opened, policy, version)


def _content(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error


async def add_rule(arguments: argparse.Namespace) -> Result:
    """Adds a rule to those that there are."""
    rule = _rule(arguments)
    async with _registry(arguments) as opened:
        policy, version = await _read(opened)
        if any(each.name == rule.name for each in policy.rules):
            raise CommandError(f"there is a rule {rule.name}: remove it, or choose another name")
        return await _write(opened, Policy((*policy.rules, rule)), version)


def _rule(arguments: argparse.Namespace) -> Rule:
    """The rule that the options spell. Raises `UsageError`."""
    options = (arguments.tag, arguments.except_tag, arguments.keep_last, arguments.older_than)
    try:
        tags = None
        if any(each is not None for each in options):
            tags = Tags(
                _globs(arguments.tag or ["*"]),
                _globs(arguments.except_tag or []),
                arguments.keep_last or 0,
                parse_age(arguments.older_than) if arguments.older_than else None,
            )
        rule = Rule(
            arguments.name,
            _globs(arguments.repository),
            tags,
            parse_age(arguments.untagged) if arguments.untagged else None,
            every_repository=arguments.every_repository,
            brake=BRAKE if arguments.brake is None else arguments.brake,
        )
        rule.check()
    except (GlobError, PolicyError) as error:
        raise UsageError(_in_options(str(error))) from error
    return rule


def _in_options(text: str) -> str:
    """What is wrong, with the names that the fields of a document have here."""
    names = {
        "everyRepository": "--every-repository",
        "keepLast": "--keep-last",
        "olderThan": "--older-than",
    }
    for field_name, option in names.items():
        text = text.replace(field_name, option)
    return text


def _globs(texts: list[str]) -> tuple[Glob, ...]:
    return tuple(map(Glob.parse, texts))


async def remove(arguments: argparse.Namespace) -> Result:
    """Removes a rule."""
    async with _registry(arguments) as opened:
        policy, version = await _read(opened)
        left = tuple(rule for rule in policy.rules if rule.name != arguments.name)
        if len(left) == len(policy.rules):
            raise CommandError(
                f"there is no rule {arguments.name}; `slipway retention show` shows them"
            )
        return await _write(opened, replace(policy, rules=left), version)


async def _read(opened: Connection) -> tuple[Policy, str]:
    try:
        return await Policies(opened).read()
    except PolicyError as error:
        raise CommandError(
            f"the policy in storage cannot be read: {error}. Replace it by `slipway retention set`"
        ) from error


async def _write(opened: Connection, policy: Policy, version: str) -> Result:
    """Writes the policy in place of that version, and shows it."""
    try:
        await Policies(opened).write(policy, version)
    except PolicyError as error:
        raise CommandError(str(error)) from error
    except PolicyChanged as error:
        raise CommandError(_MEANWHILE) from error
    return _shown(policy)


def _shown(policy: Policy) -> Shaped:
    return Shaped([_row(rule) for rule in policy.rules], policy.document())


def _row(rule: Rule) -> Row:
    tags = rule.tags
    return {
        "name": rule.name,
        "repositories": [each.text for each in rule.repositories],
        "tags": [each.text for each in tags.match] if tags else None,
        "except": [each.text for each in tags.spare] if tags and tags.spare else None,
        "keep last": tags.keep_last or None if tags else None,
        "older than": age_text(tags.older_than) if tags and tags.older_than else None,
        "untagged": None if rule.untagged is None else age_text(rule.untagged),
        "brake": f"{rule.brake} %",
    }


# A run.


@dataclass
class _Told:
    """What has gone so far."""

    progress: Progress
    is_dry: bool
    visits: list[Visit] = field(default_factory=list)
    repositories: int = 0
    things: int = 0

    def tell(self, visit: Visit) -> None:
        """A repository was visited."""
        self.repositories += 1
        self.things += len(visit.gone)
        if visit.gone or visit.staying or visit.stopped:
            self.visits.append(visit)
        done = "would go" if self.is_dry else "gone"
        repositories = count(self.repositories, "repository", "repositories")
        self.progress.show(f"{repositories}, {count(self.things, 'thing')} {done}")


async def run(arguments: argparse.Namespace) -> Result:
    """Deletes by the rules, and answers what went by which rule and why."""
    how = How(time_asked(arguments), arguments.dry_run, arguments.force)
    try:
        only = Glob.parse(arguments.repository) if arguments.repository else None
    except GlobError as error:
        raise UsageError(f"--repository: {error}") from error
    async with _registry(arguments) as opened:
        policy, _ = await _read(opened)
        if not policy.rules:
            raise CommandError("there are no rules: add one by `slipway retention add`")
        retention = Retention.of(opened, Settings.from_environment())
        with Progress() as progress:
            told = _Told(progress, arguments.dry_run)
            # Each visit has a bound on attempts of its own; together there is none.
            with budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)):
                made = await retention.run(policy, how, only=only, tell=told.tell)
            progress.tell(_summary(told, made))
    result = Shaped(_rows(told), _document(told, made, how))
    if made.failed or made.left:
        raise PartlyDone(
            "storage, or others who kept changing it, did not let "
            f"{count(made.failed + made.left, 'repository', 'repositories')} be finished. Run it "
            "again",
            result,
        )
    if made.stopped:
        raise PartlyDone(_stopped(made), result)
    return result


def _stopped(made: Run) -> str:
    repositories = count(len(made.stopped), "repository", "repositories")
    head = (
        f"the brake stopped {repositories}, of which nothing goes. Look at what would go by "
        "--dry-run --force; then use --force, or give the rule a higher brake:"
    )
    return "\n".join([head, *(f"{name}: {words}" for name, words in made.stopped.items())])


def _summary(told: _Told, made: Run) -> str:
    manifests = count(made.manifests.total(), "manifest")
    tags = count(made.tags.total(), "tag")
    done = "would go" if told.is_dry else "went"
    return f"{manifests} and {tags} {done}; {count(made.kept.total(), 'thing')} stay."


def _rows(told: _Told) -> list[Row]:
    return [
        {
            "repository": str(each.repository),
            "tags": ([str(each.what)] if not each.is_manifest else list(each.tags)) or None,
            "manifest": str(each.what) if each.is_manifest else None,
            "rule": each.rule,
            "why": each.why,
        }
        for visit in told.visits
        for each in visit.gone
    ]


def _document(told: _Told, made: Run, how: How) -> dict[str, object]:
    return {
        "dryRun": how.is_dry,
        "asOf": written(how.as_of),
        "repositories": made.visits,
        "gone": [_gone(each) for visit in told.visits for each in visit.gone],
        "heldBack": [_gone(each) for visit in told.visits for each in visit.held_back],
        "kept": [
            {
                "repository": str(visit.repository),
                "kind": "manifest" if ":" in str(each.what) else "tag",
                "name": str(each.what),
                "why": each.why.value,
            }
            for visit in told.visits
            for each in visit.staying
        ],
        "stopped": [
            {"repository": str(name), "why": words} for name, words in made.stopped.items()
        ],
        "failed": made.failed,
    }


def _gone(each: Gone) -> dict[str, object]:
    return {
        "repository": str(each.repository),
        "kind": "manifest" if each.is_manifest else "tag",
        "name": str(each.what),
        "tags": list(each.tags),
        "rule": each.rule,
        "why": each.why,
    }
