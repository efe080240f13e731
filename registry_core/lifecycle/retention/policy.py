"""The policy of a registry: its rules, as a document has them and as they are decided by.

A rule is refused where it says what nobody can mean: an unknown field, a pattern that is none, tags
of which none would stay, or every repository where that was not said in so many words.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from registry_core.model.glob import Glob, GlobError, match_all
from registry_core.model.names import RepositoryName

VERSION = 1
"""Of the form of the document."""
MAX_RULES = 100
MAX_PATTERNS = 20
"""Of one list."""
MAX_BYTES = 256 * 1024
"""Of the document."""
MAX_KEPT = 10_000
"""The most tags that a rule can say are to be kept."""
LEAST_AGE = timedelta(hours=1)
"""Of tags that go by their age."""
MAX_AGE = timedelta(days=3650)
BRAKE = 10
"""The part of a repository that one run may take, in percent, unless a rule says another."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_AGE = re.compile(r"([0-9]{1,5})([hd])")
_LETTERS = string.ascii_lowercase + string.digits
_REPOSITORIES = tuple(
    form.replace("a", letter) for form in ("a", "aa", "a/a", "aa/aa/aa") for letter in _LETTERS
)
"""Whatever is a pattern of every repository matches these; and few others do."""
_TAGS = tuple(
    form.replace("a", letter)
    for form in ("a", "aa")
    for letter in string.ascii_letters + string.digits + "_"
)
T = TypeVar("T")


class PolicyError(ValueError):
    """A policy says what cannot be, or must not; the text says what and why."""


@dataclass(frozen=True)
class Tags:
    """Which tags of a repository go."""

    match: tuple[Glob, ...] = (Glob("*"),)
    """Those that the rule is about."""
    spare: tuple[Glob, ...] = ()
    """Those of them that it is not about after all."""
    keep_last: int = 0
    """So many of them stay, those that were updated last."""
    older_than: timedelta | None = None
    """Those stay that were updated later."""

    def concerns(self, tag: str) -> bool:
        """Whether the rule is about a tag."""
        return _matches(self.match, tag) and not _matches(self.spare, tag)


@dataclass(frozen=True)
class Rule:
    """One rule: tags that go, and manifests that have none."""

    name: str
    repositories: tuple[Glob, ...]
    tags: Tags | None = None
    untagged: timedelta | None = None
    """Manifests go that have had no tag for so long, and nothing needs; None if they stay."""
    every_repository: bool = False
    """Whether it is meant that the patterns match every repository."""
    brake: int = BRAKE
    """How many percent of a repository's manifests, and of its tags, one run may take."""

    def applies(self, repository: RepositoryName) -> bool:
        """Whether the rule is about a repository."""
        return _matches(self.repositories, repository.text)

    @property
    def takes_every_repository(self) -> bool:
        """Whether its patterns match everything."""
        return match_all(self.repositories, _REPOSITORIES)

    def check(self) -> None:
        """Raises `PolicyError` if it is no rule that anybody can mean."""
        if not _NAME.fullmatch(self.name):
            raise PolicyError(
                f"{self.name[:60]!r} is no name of a rule: use 1 to 50 characters, lower-case "
                "letters, digits and '-'"
            )
        if self.tags is None and self.untagged is None:
            raise self._error("it takes nothing: say which tags go, or when untagged manifests do")
        if not 1 <= self.brake <= 100:
            raise self._error("the brake is a number of percent from 1 to 100")
        if self.untagged is not None and not timedelta(0) <= self.untagged <= MAX_AGE:
            raise self._error("untagged manifests stay for 0 hours to 3650 days")
        if self.tags is not None:
            self._check_tags(self.tags)
        for patterns in self._patterns():
            self._check_patterns(patterns)
        if self.takes_every_repository and not self.every_repository:
            raise self._error(
                "its patterns match every repository. If that is meant, say so: everyRepository"
            )

    def _check_tags(self, tags: Tags) -> None:
        if tags.keep_last == 0 and tags.older_than is None:
            every = " every tag" if match_all(tags.match, _TAGS) else " every such tag"
            raise self._error(
                f"it would take{every}, the newest too: say how many stay (keepLast), or how old "
                "they must be (olderThan)"
            )
        if not 0 <= tags.keep_last <= MAX_KEPT:
            raise self._error(f"keepLast is a number from 1 to {MAX_KEPT}")
        if tags.older_than is not None and not LEAST_AGE <= tags.older_than <= MAX_AGE:
            raise self._error("tags go that are older than 1 hour, or up to 3650 days")

    def _check_patterns(self, patterns: Sequence[Glob]) -> None:
        if len(patterns) > MAX_PATTERNS:
            raise self._error(f"a list has at most {MAX_PATTERNS} patterns")
        for pattern in patterns:
            try:
                Glob.parse(pattern.text)
            except GlobError as error:
                raise self._error(str(error)) from error

    def _patterns(self) -> Iterable[Sequence[Glob]]:
        if not self.repositories or (self.tags is not None and not self.tags.match):
            raise self._error("a list of patterns is empty")
        yield self.repositories
        if self.tags is not None:
            yield self.tags.match
            yield self.tags.spare

    def _error(self, text: str) -> PolicyError:
        return PolicyError(f"rule {self.name}: {text}")

    def document(self) -> dict[str, Any]:
        """The rule as a document has it."""
        found: dict[str, Any] = {"name": self.name, "repositories": _texts(self.repositories)}
        if self.every_repository:
            found["everyRepository"] = True
        if self.tags is not None:
            found["tags"] = _tags_document(self.tags)
        if self.untagged is not None:
            found["untagged"] = {"olderThan": age_text(self.untagged)}
        return found | {"brake": self.brake}

    @classmethod
    def parse(cls, document: object) -> Rule:
        """The rule that a document has. Raises `PolicyError`."""
        fields = _Fields.of(document, "a rule")
        name = fields.take("name", _text, "")
        try:
            rule = cls(
                name=name,
                repositories=fields.take("repositories", _globs, ()),
                tags=fields.take("tags", _tags, None),
                untagged=fields.take("untagged", _untagged, None),
                every_repository=fields.take("everyRepository", _flag, False),
                brake=fields.take("brake", _number, BRAKE),
            )
            fields.end()
        except (GlobError, PolicyError) as error:
            raise PolicyError(f"rule {name}: {error}") from error
        rule.check()
        return rule


@dataclass(frozen=True)
class Policy:
    """All rules, in order."""

    rules: tuple[Rule, ...] = ()

    def check(self) -> None:
        """Raises `PolicyError`."""
        if len(self.rules) > MAX_RULES:
            raise PolicyError(f"there are at most {MAX_RULES} rules")
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise PolicyError(f"two rules have the name {name}")
        for rule in self.rules:
            rule.check()

    def of(self, repository: RepositoryName) -> tuple[Rule, ...]:
        """The rules that are about a repository."""
        return tuple(rule for rule in self.rules if rule.applies(repository))

    def document(self) -> dict[str, Any]:
        """The policy as it is stored, and exported."""
        return {"version": VERSION, "rules": [rule.document() for rule in self.rules]}

    @classmethod
    def parse(cls, content: bytes) -> Policy:
        """The policy that a file has. Raises `PolicyError`."""
        if len(content) > MAX_BYTES:
            raise PolicyError(f"a policy has at most {MAX_BYTES} bytes")
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise PolicyError("the policy is not JSON") from error
        fields = _Fields.of(document, "the policy")
        if fields.take("version", _number, 0) != VERSION:
            raise PolicyError(f"the policy is not of version {VERSION}")
        rules: list[object] = fields.take("rules", _list, [])
        fields.end()
        policy = cls(tuple(map(Rule.parse, rules)))
        policy.check()
        return policy


def parse_age(text: str) -> timedelta:
    """A time such as `12h` or `30d`. Raises `PolicyError`."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise PolicyError(f"{text[:20]!r} is no age: use hours or days, such as 12h or 30d")
    count = int(found[1])
    return timedelta(hours=count) if found[2] == "h" else timedelta(days=count)


def age_text(age: timedelta) -> str:
    """An age as `parse_age` reads it."""
    hours = int(age / timedelta(hours=1))
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _matches(patterns: Iterable[Glob], name: str) -> bool:
    return any(pattern.matches(name) for pattern in patterns)


def _texts(patterns: Iterable[Glob]) -> list[str]:
    return [pattern.text for pattern in patterns]


def _tags_document(tags: Tags) -> dict[str, Any]:
    found: dict[str, Any] = {"match": _texts(tags.match)}
    if tags.spare:
        found["except"] = _texts(tags.spare)
    if tags.keep_last:
        found["keepLast"] = tags.keep_last
    if tags.older_than is not None:
        found["olderThan"] = age_text(tags.older_than)
    return found


# Reading a document: a field that nobody knows is refused, because it may be misspelt.


class _Fields:
    """The fields of an object, each taken once."""

    def __init__(self, what: str, fields: Mapping[str, object]) -> None:
        self._what = what
        self._left = dict(fields)

    @classmethod
    def of(cls, document: object, what: str) -> _Fields:
        if not isinstance(document, dict):
            raise PolicyError(f"{what} is no JSON object")
        return cls(what, document)

    def take(self, name: str, read: Callable[[object], T], default: T) -> T:
        if name not in self._left:
            return default
        try:
            return read(self._left.pop(name))
        except TypeError as error:
            raise PolicyError(f"{name} is not as it must be: {error}") from error

    def end(self) -> None:
        if self._left:
            raise PolicyError(f"{self._what} has no field {min(self._left)}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("use a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("use a whole number")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("use true or false")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("use a list")
    return value


def _globs(value: object) -> tuple[Glob, ...]:
    return tuple(Glob.parse(_text(each)) for each in _list(value))


def _age(value: object) -> timedelta | None:
    return parse_age(_text(value))


def _untagged(value: object) -> timedelta | None:
    fields = _Fields.of(value, "untagged")
    age = fields.take("olderThan", _age, None)
    fields.end()
    if age is None:
        raise PolicyError("untagged: say olderThan")
    return age


def _tags(value: object) -> Tags | None:
    fields = _Fields.of(value, "tags")
    tags = Tags(
        match=fields.take("match", _globs, (Glob("*"),)),
        spare=fields.take("except", _globs, ()),
        keep_last=fields.take("keepLast", _number, 0),
        older_than=fields.take("olderThan", _age, None),
    )
    fields.end()
    return tags
