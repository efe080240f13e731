"""One client at work: it pushes, pulls, tags and deletes until it is told to stop."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

from tests.e2e.process import CommandError
from tests.soak.hands import Hand
from tests.soak.jobs import TAKES_UNTAGGED
from tests.soak.ledger import GONE, Ledger

TAGS = 4
"""Of each repository: most pushes move a tag."""
MOST_MANIFESTS = 6
"""With more, the next thing to do is to delete one."""
TRIES = 4
SHARED = "soak/shared"
"""The repository that all clients write to at once: of it nothing is known but what is there."""
_SHARED_PART = 0.25
_NOT_THERE = ("not found", "unknown", "404")
_WEIGHTS = {"push": 5, "pull": 4, "tag": 2, "delete": 2}


class Tally:
    """What clients did, counted by all of them together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        """By client and verb."""
        self.repeated = 0
        """What a client had to do again, as a whole."""
        self.given_up = 0
        self.breaches: list[str] = []
        """Promises that were broken in the midst of it."""

    def count(self, what: str) -> None:
        """Something was done."""
        with self._lock:
            self.done[what] += 1

    def repeat(self) -> None:
        """Something failed, and is done again."""
        with self._lock:
            self.repeated += 1

    def give_up(self) -> None:
        """Something failed too often."""
        with self._lock:
            self.given_up += 1

    def accuse(self, breach: str) -> None:
        """A promise was broken."""
        with self._lock:
            self.breaches.append(breach)


class Actor:
    """A client with a repository of its own; now and then it meets the others in the shared one."""

    def __init__(
        self, hand: Hand, address: str, tally: Tally, stop: threading.Event, seed: int
    ) -> None:
        self.name = hand.name
        self.thread = threading.Thread(target=self._work, name=hand.name, daemon=True)
        self.ledger = Ledger(f"soak/{hand.name}", keeps_untagged=not TAKES_UNTAGGED)
        self.error: BaseException | None = None
        self._hand = hand
        self._address = address
        self._tally = tally
        self._stop_asked = stop
        self._choose = random.Random(f"{seed} {hand.name}")
        self._numbers: list[int] = []
        """What it has pushed before: some of it is pushed again."""
        self._met: list[str] = []
        """What it has pushed to the shared repository."""

    def _work(self) -> None:
        try:
            while not self._stop_asked.is_set():
                self._act()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the thread raises it
            self.error = error

    def _act(self) -> None:
        if self._choose.random() < _SHARED_PART:
            self._meet()
            return
        known = sorted(self.ledger.owed())
        verb = self._choose.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if len(known) > MOST_MANIFESTS:
            verb = "delete"
        if not known or verb == "push":
            self._push()
        elif verb == "pull":
            self._pull(known)
        elif verb == "tag":
            self._tag(self._choose.choice(known))
        else:
            self._delete(self._choose.choice(known))

    # In its own repository.

    def _push(self) -> None:
        tag, number = self._some_tag(), self._some_number()
        digest = self._try("push", lambda: self._hand.push(self._name(tag), number))
        if digest:
            self.ledger.pushed(tag, digest)
        else:
            self.ledger.push_failed(tag)

    def _pull(self, known: list[str]) -> None:
        tags = sorted(tag for tag, digest in self.ledger.tags.items() if digest != GONE)
        by_tag = bool(tags) and self._choose.random() < 0.5
        reference = self._choose.choice(tags) if by_tag else self._choose.choice(known)

        def pull() -> str:
            self._hand.pull(self._name(reference))
            return reference

        self._try("pull", pull, owed=True)

    def _tag(self, digest: str) -> None:
        tag = self._some_tag()
        named = self._try("tag", lambda: self._hand.tag(self._name(digest), self._name(tag)))
        if named:
            self.ledger.pushed(tag, named)
        else:
            self.ledger.push_failed(tag)

    def _delete(self, digest: str) -> None:
        if self._try("delete", lambda: self._delete_from(self.ledger.repository, digest)):
            self.ledger.removed(digest)
        else:
            self.ledger.removal_failed(digest)

    # In everybody's.

    def _meet(self) -> None:
        """Something in the shared repository, where whatever comes of it may be right."""
        tag = f"{self._address}/{SHARED}:{self._choose.randrange(TAGS)}"
        verb = self._choose.choice(["push", "push", "pull", "delete"])
        try:
            if verb == "push":
                self._met.append(self._hand.push(tag, self._choose.randrange(12)))
            elif verb == "pull":
                self._hand.pull(tag)
            elif self._met:
                digest = self._met.pop(self._choose.randrange(len(self._met)))
                self._delete_from(SHARED, digest)
            self._tally.count(f"{self._hand.name} {verb}, shared")
        except AssertionError:
            self._tally.count(f"{self._hand.name} {verb}, shared: refused")

    # What all of it is made of.

    def _try(self, verb: str, act: Callable[[], str], *, owed: bool = False) -> str:
        """Does something, again where it fails; empty if it never succeeded."""
        failure = ""
        for attempt in range(TRIES):
            if attempt:
                self._tally.repeat()
                self._stop_asked.wait(attempt)
            try:
                found = act()
            except AssertionError as error:
                failure = error.result.output if isinstance(error, CommandError) else str(error)
                continue
            self._tally.count(f"{self._hand.name} {verb}")
            return found
        self._tally.give_up()
        if owed and any(each in failure.lower() for each in _NOT_THERE):
            self._tally.accuse(f"{self._hand.name}: what is owed is not there: {failure[-500:]}")
        return ""

    def _delete_from(self, repository: str, digest: str) -> str:
        self._hand.delete(f"{self._address}/{repository}", digest)
        return digest

    def _some_tag(self) -> str:
        return f"v{self._choose.randrange(TAGS)}"

    def _some_number(self) -> int:
        if self._numbers and self._choose.random() < 0.3:
            return self._choose.choice(self._numbers)
        self._numbers.append(self._choose.randrange(1_000_000))
        return self._numbers[-1]

    def _name(self, reference: str) -> str:
        separator = "@" if ":" in reference else ":"
        return f"{self._address}/{self.ledger.repository}{separator}{reference}"
