"""The file of results: written after each measurement, so that a run can be stopped and go on.

A result is a part, a key and figures. Measured again, the figures of a key are replaced; all others
stay. So a run of some parts renews them, and the file keeps the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1
"""Of the document. A program that knows another refuses it."""

Key = Mapping[str, str | int | float]
Figures = Mapping[str, Any]


class ResultsError(Exception):
    """The file is not one that can be read, or gone on with; the text says why."""


@dataclass(frozen=True)
class Result:
    """One measurement."""

    part: str
    key: Key
    figures: Figures
    commit: str
    date: str
    quick: bool

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands in the file: numbers by size, and apart from words."""
        values = ((isinstance(value, str), value) for value in self.key.values())
        return self.part, tuple(sorted(self.key)), tuple(values)

    @property
    def document(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "part": self.part,
            "key": dict(self.key),
            "figures": dict(self.figures),
            "commit": self.commit,
            "date": self.date,
            **({"quick": True} if self.quick else {}),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Result:
        """The one that `document` wrote. Raises `KeyError`."""
        return cls(
            document["part"],
            document["key"],
            document["figures"],
            document["commit"],
            document["date"],
            document.get("quick", False),
        )


class Results:
    """All results of one machine."""

    def __init__(
        self,
        machine: Mapping[str, Any],
        versions: Mapping[str, str],
        results: Mapping[tuple[str, str], Result] | None = None,
    ) -> None:
        self.machine = dict(machine)
        self.versions = dict(versions)
        self._results = dict(results or {})

    @classmethod
    def read(cls, path: Path) -> Results:
        """Those of a file. Raises `ResultsError`."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise ResultsError(f"{path}: its schema is {document['schema']}, not {SCHEMA}")
            results = [Result.read(each) for each in document["results"]]
            machine, versions = document["machine"], document["versions"]
        except (OSError, ValueError) as error:
            raise ResultsError(f"{path} cannot be read: {error}") from error
        except (KeyError, TypeError) as error:
            raise ResultsError(f"{path} does not hold results: {error!r}") from error
        return cls(machine, versions, {_name(each.part, each.key): each for each in results})

    def put(self, result: Result) -> None:
        """Adds it, in the place of what was measured before under its key."""
        self._results[_name(result.part, result.key)] = result

    def drop_quick(self) -> None:
        """Forgets what was measured in quick runs: its sizes and repeats are others."""
        self._results = {name: each for name, each in self._results.items() if not each.quick}

    def find(self, part: str, **key: str | float) -> Figures | None:
        """The figures of a key; None if it was not measured."""
        found = self._results.get(_name(part, key))
        return None if found is None else found.figures

    def result(self, part: str, key: Key) -> Result | None:
        """All of one result; None if it was not measured."""
        return self._results.get(_name(part, key))

    def of(self, part: str, **some: str | float) -> Iterator[Result]:
        """The results of a part whose key has all of `some`, in the order of the file."""
        for result in self:
            if result.part == part and some.items() <= dict(result.key).items():
                yield result

    def __iter__(self) -> Iterator[Result]:
        """All of them, in the order of the file."""
        return iter(sorted(self._results.values(), key=lambda each: each.order))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._results)

    def to_json(self) -> str:
        """The document: one line for each result, so that changes are easy to read."""
        lines = [json.dumps(each.document, ensure_ascii=False) for each in self]
        head = {"schema": SCHEMA, "machine": self.machine, "versions": self.versions}
        opening = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        body = ",\n".join(lines)
        return f'{opening},\n "results": [\n{body}\n ]\n}}\n'

    def write(self, path: Path) -> None:
        """Writes the file, all of it or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_text(self.to_json(), encoding="utf-8")
        new.replace(path)


def _name(part: str, key: Key) -> tuple[str, str]:
    return part, json.dumps(dict(key), sort_keys=True)
