"""Checks in order: each passes, fails or is skipped, in its time, and is told of when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


@dataclass(frozen=True)
class Passed:
    """A check that found what it should."""

    text: str
    facts: Mapping[str, object] = field(default_factory=dict)
    """What programs are told; no sentences."""


class Failed(Exception):
    """A check that did not: a word for programs, what was found, and what to do next."""

    def __init__(
        self, reason: str, text: str, advice: str, facts: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.advice = advice
        self.facts = facts or {}


class Skipped(Exception):
    """A check that was not made. Those that need it are made all the same if it `goes_on`."""

    def __init__(self, reason: str, text: str, *, goes_on: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.goes_on = goes_on


@dataclass(frozen=True)
class Outcome:
    """What came of a check."""

    check: str
    status: str
    text: str
    reason: str | None = None
    """Why it failed or was skipped, in a word for programs."""
    advice: str | None = None
    """What to do next, where it failed."""
    facts: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0
    """How long it took."""


class Checks:
    """Makes checks, and keeps what came of them."""

    def __init__(self, tell: Callable[[Outcome], None]) -> None:
        self.outcomes: list[Outcome] = []
        self._tell = tell
        self._causes: dict[str, str] = {}
        """For each check on which no other can build: the one that is the cause."""

    @property
    def has_failed(self) -> bool:
        """Whether one of them has failed."""
        return any(each.status == FAILED for each in self.outcomes)

    async def run(
        self,
        name: str,
        seconds: float,
        check: Callable[[], Awaitable[Passed]],
        *,
        needs: tuple[str, ...] = (),
        late: str = "something on the way delays or drops what is sent: look at proxies and "
        "firewalls, and try again",
    ) -> None:
        """Makes a check, unless one that it `needs` did not pass; it has so many `seconds`.

        `late` is what to do where it does not end in its time.
        """
        began = time.monotonic()
        try:
            self._hold_to(name, needs)
            async with asyncio.timeout(seconds):
                outcome = _passed(name, await check())
        except Skipped as skipped:
            if not skipped.goes_on:
                self._causes.setdefault(name, name)
            outcome = Outcome(name, SKIPPED, skipped.text, reason=skipped.reason)
        except Failed as failed:
            self._causes[name] = name
            outcome = _failed(name, failed)
        except TimeoutError:
            self._causes[name] = name
            outcome = _failed(name, Failed("timeout", f"it did not end within {seconds:g} s", late))
        outcome = replace(outcome, seconds=round(time.monotonic() - began, 3))
        self.outcomes.append(outcome)
        self._tell(outcome)

    def _hold_to(self, name: str, needs: tuple[str, ...]) -> None:
        """Raises `Skipped` where one of them did not pass."""
        for needed in needs:
            if cause := self._causes.get(needed):
                self._causes[name] = cause
                status = next(each.status for each in self.outcomes if each.check == cause)
                raise Skipped(f"{cause}-{status}", f"not tried, because {cause} {_verb(status)}")


def in_thread(check: Callable[[], Passed]) -> Callable[[], Awaitable[Passed]]:
    """A check that blocks. Where its time is over it goes on by itself, and nobody waits for it."""
    return lambda: asyncio.to_thread(check)


def _passed(name: str, passed: Passed) -> Outcome:
    return Outcome(name, OK, passed.text, facts=passed.facts)


def _failed(name: str, failed: Failed) -> Outcome:
    return Outcome(name, FAILED, failed.text, failed.reason, failed.advice, failed.facts)


def _verb(status: str) -> str:
    return status if status == FAILED else f"was {status}"
