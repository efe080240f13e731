"""Every way in which storage fails at one call of a job, and the deaths of who makes the call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.interference.hook import InterferingHook
from tests.interference.kinds import Answered, Death, Drop, Interference, Refuse

WAYS: dict[str, Callable[[], Interference]] = {
    "never sent": Refuse,
    "answer lost": Drop,
    **{str(status): partial(Answered, status) for status in (412, 429, 500, 503)},
}
DEATHS = {"killed before": False, "killed after": True}
_LONG = ("never sent", "429", "500")
"""To a job the same as 503: `make test` leaves them out."""
EACH_WAY = [
    pytest.param(way, marks=pytest.mark.long if way in _LONG else ()) for way in (*WAYS, *DEATHS)
]
"""As parameters of a test."""


CLOSES_NOTHING = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Of a test in which somebody dies: a call beside the last may have been about to connect."""


def plan(hook: InterferingHook, way: str, number: int) -> None:
    """Has the `number`th call from now fail, or the process die around it.

    A call is counted in the trace that it is made in: there has to be one.
    """
    if way in DEATHS:
        death = Death(number, is_answered=DEATHS[way])
        hook.plan = lambda _: death
    else:
        hook.plan_nth(number, WAYS[way]())
