"""NCRONTAB: the schedules of timer triggers.

The grammar is NCrontab's, the library of the Functions host, which differs from that of cron:

* a time must match day of month **and** day of week;
* `day-of-week` is 0 (Sunday) to 6; there is no 7;
* names are English, in any case, shortened at will: `J` is January, `T` is Tuesday;
* a range may be given backwards, and is turned round: `FRI-SUN` is Sunday to Friday;
* `5/15` is every fifteenth value from 5 on; a step below 1 counts as 1;
* there is no `L`, `W`, `#`, `?`, and no `@daily`.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
https://github.com/atifaziz/NCrontab/blob/master/NCrontab/CrontabFieldImpl.cs
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from croniter import CroniterBadDateError, croniter

# What NCrontab says is next where nothing is: such a timer never fires.
NEVER = datetime.max.replace(tzinfo=UTC)

_NUMBER = re.compile(r"[0-9]{1,9}")
_STEP = re.compile(r"[+-]?[0-9]{1,9}")


class ScheduleError(ValueError):
    """An expression is not NCRONTAB; the message says where and why."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    minimum: int
    maximum: int
    names: tuple[str, ...] = ()

    def parse(self, text: str) -> frozenset[int]:
        """Return the values that `text` stands for.

        Raises:
            ScheduleError: it is not a list of values, ranges and steps of this field.
        """
        return frozenset().union(*(self._parse_item(item) for item in text.split(",")))

    def _parse_item(self, text: str) -> range:
        values, slash, step_text = text.partition("/")
        step = 1
        if slash:
            if not _STEP.fullmatch(step_text):
                raise self._error(text, "has no number after the slash")
            step = max(1, int(step_text))
        if values == "*":
            return range(self.minimum, self.maximum + 1, step)
        first_text, dash, last_text = values.partition("-")
        first = self._parse_value(first_text, text)
        # `5/15` goes on to the end, a plain `5` does not.
        last = self.maximum if slash else first
        if dash:
            last = self._parse_value(last_text, text)
        return range(min(first, last), max(first, last) + 1, step)

    def _parse_value(self, text: str, item: str) -> int:
        if _NUMBER.fullmatch(text):
            value = int(text)
            if not self.minimum <= value <= self.maximum:
                raise self._error(item, f"is not within {self.minimum} to {self.maximum}")
            return value
        for index, name in enumerate(self.names):
            if text and name.startswith(text.lower()):
                return self.minimum + index
        raise self._error(item, f"is not a value from {self.minimum} to {self.maximum}")

    def _error(self, item: str, what: str) -> ScheduleError:
        return ScheduleError(f"{item!r} in the field {{{self.name}}} {what}")


_MONTHS = "january february march april may june july august september october november december"
_DAYS = "sunday monday tuesday wednesday thursday friday saturday"
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS.split())),
    _Field("day-of-week", 0, 6, tuple(_DAYS.split())),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A set of times in UTC; `fields` has the values of each field, from second to day-of-week."""

    expression: str
    fields: tuple[frozenset[int], ...]

    @classmethod
    def parse(cls, expression: str) -> "Schedule":
        """Parse an expression of six fields, or of five, which then lacks the seconds: they are 0.

        Raises:
            ScheduleError: it is not NCRONTAB.
        """
        texts = [text for text in expression.split(" ") if text]
        if len(texts) == len(_FIELDS) - 1:
            texts.insert(0, "0")
        if len(texts) != len(_FIELDS):
            raise ScheduleError(
                f"{expression!r} has {len(texts)} fields and needs six: "
                "{second} {minute} {hour} {day} {month} {day-of-week}"
            )
        parsed = tuple(field.parse(text) for field, text in zip(_FIELDS, texts, strict=True))
        return cls(expression, parsed)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first of its times that is later than `moment`, or `NEVER`."""
        if moment == NEVER:
            return NEVER
        lists = (",".join(map(str, sorted(values))) for values in self.fields)
        times = croniter(
            " ".join(lists),
            moment.astimezone(UTC),
            ret_type=datetime,
            day_or=False,
            second_at_beginning=True,
        )
        try:
            following: datetime = next(times)
        except CroniterBadDateError:
            return NEVER
        return following
