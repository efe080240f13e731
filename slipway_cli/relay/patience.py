"""How long to wait before the next try, and when to give up."""

from __future__ import annotations

import random

from slipway_cli.registry.server import Answer

TRIES = 24
"""How many tries in a row may get nowhere: some minutes."""
_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 15.0
_LONGEST_ASKED_SECONDS = 60
"""The longest that a registry may ask to wait."""
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""Answers of a registry, or of what stands before it, that another try may get past."""
_TRIES_BY_STATUS = {500: 4, 507: 4}
"""Of answers that may stand for a fault of ours or for good, fewer tries."""


class Patience:
    """Counts tries that got nowhere."""

    def __init__(self, tries: int = TRIES) -> None:
        self._tries = tries
        self._failed = 0

    def renew(self) -> None:
        """Something has got on: begin to count anew."""
        self._failed = 0

    def pause(self, answer: Answer | None = None) -> float | None:
        """For how many seconds to wait after a try that failed; None: it is time to give up.

        Longer each time, and at random, so that many clients do not come back at once; or as long
        as the answer says.
        """
        self._failed += 1
        status = answer.status if answer else 0
        if self._failed >= _TRIES_BY_STATUS.get(status, self._tries):
            return None
        asked = answer.headers.get("retry-after", "") if answer else ""
        if asked.isascii() and asked.isdigit():
            return float(min(int(asked), _LONGEST_ASKED_SECONDS))
        longest = min(_FIRST_SECONDS * 2.0 ** (self._failed - 1), _LONGEST_SECONDS)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret
