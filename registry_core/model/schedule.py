"""NCRONTAB, as far as a setting needs it: whether a schedule is one, and a sane one.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,2}))?")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_DAYS = "sun mon tue wed thu fri sat"


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    def check(self, text: str) -> None:
        """Raises ValueError unless it is a list of values, ranges and steps of this field."""
        for item in text.split(","):
            match = _ITEM.fullmatch(item)
            if match is None or match["step"] == "0":
                raise ValueError(f"{item!r} is not valid in the field {self.name}")
            for value in filter(None, (match["first"], match["last"])):
                self._check_value(value)

    def _check_value(self, text: str) -> None:
        if text.lower() in self.names:
            return
        if not re.fullmatch("[0-9]{1,2}", text) or not self.least <= int(text) <= self.most:
            raise ValueError(
                f"{text!r} is not valid in the field {self.name}: use {self.least} to {self.most}"
            )


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS.split())),
    _Field("day of the week", 0, 6, tuple(_DAYS.split())),
)


def parse_schedule(text: str) -> str:
    """The schedule, of six fields from seconds to days of the week, with single spaces.

    The Functions host takes more than this, such as `* */4 * * * *`, which would run in each second
    of every fourth minute: who forgets the field of the seconds is told. Raises ValueError.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"it has {len(fields)} fields and needs six")
    for field, value in zip(_FIELDS, fields, strict=True):
        field.check(value)
    if not fields[0].isdigit():
        raise ValueError("the first field is for seconds, and must be one number")
    return " ".join(fields)
