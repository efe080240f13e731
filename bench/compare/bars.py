"""What Slipway is held to beside distribution, and why a row may fall short of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.compare.operations import OPERATIONS
from bench.compare.plan import Mode
from bench.compare.run import TIMES
from bench.compare.streams import STREAMS
from bench.contenders.contender import Kind
from bench.results.store import Results

DELAY = 5
"""The delay in milliseconds at which every operation has a bar."""
_EACH = 1.0
_OTHERS: Mapping[str, Mapping[int, float]] = {
    "v2": {5: 0.8},
    "redirect": {5: 0.8},
    "put-1": {5: 1.5},
    "put-8": {5: 1.5},
    "push": {5: 5.0},
    "pull-cold": {5: 3.0, 20: 5.0},
}
"""By operation and delay; all others have one of `_EACH` at `DELAY`."""
BARS: Mapping[str, Mapping[int, float]] = {
    each.name: _OTHERS.get(each.name, {DELAY: _EACH}) for each in OPERATIONS
}
"""At how many times distribution's speed each operation has to be, by its name and the delay."""

_NO_CALLS = (
    "Neither makes a storage call, so all that counts is the processor: Slipway runs in Python, "
    "distribution is compiled."
)
_ROWS = (
    "Slipway writes rows that distribution does not have: for each blob that the manifest needs, "
    "so that garbage is collected while clients push; for the tag by name and by time; for the "
    "manifest by time. They lie in few rounds, but each has its bytes to be written and read."
)
REASONS: Mapping[str, str] = {
    "catalog": "Slipway reads one page of a table.",
    "v2": _NO_CALLS,
    "redirect": _NO_CALLS,
    "head-tag": "Slipway reads one row, so that no instance answers with what another changed.",
    "by-digest": "The manifest is in memory, so all that counts is the processor.",
    "put-1": _ROWS,
    "put-8": _ROWS,
    "mount": "Both make as many calls in as many rounds, so all that counts is the processor.",
    "delete": (
        "Slipway deletes in one transaction all that belongs to the manifest, frees each of its "
        "blobs, sends the message that has them collected, and leaves tombstones so that "
        "another region or an undelete can tell what happened. Its calls are more, in fewer "
        "rounds, and an emulator with one processor works them off one after another. "
        "distribution removes links, and frees nothing before somebody stops it and collects."
    ),
    "small-blob": "What is left is the append and the commit, which clients wait for in turn.",
    "tags": "Slipway reads one page of a table.",
    "pull-warm": (
        "Nine of the ten requests are redirects, which make no storage call, so the processor "
        "counts most."
    ),
    "pull-cold": (
        "A pull makes two rounds of storage calls, and ten requests. What these take of the "
        "processor is the same at any delay."
    ),
    "push": (
        "A push makes 28 requests and waits for some 13 rounds. Each of those "
        "takes what the emulator takes, which is most of it at these delays."
    ),
    STREAMS: (
        "Both send the bytes to one append blob, and the emulator, the client and the registry "
        "share the processors."
    ),
}
"""What keeps each row from being faster. It is told where one falls short."""


@dataclass(frozen=True)
class Verdict:
    """A row and its bar."""

    row: str
    what: str
    """Of several of one row, which."""
    ratio: float
    """Distribution's median to Slipway's."""
    at_least: float

    @property
    def is_met(self) -> bool:
        """Whether Slipway is fast enough."""
        return self.ratio >= self.at_least

    @property
    def reason(self) -> str:
        """Why it is not faster."""
        return REASONS[self.row]


def ratio(results: Results, operation: str, delay: int) -> float | None:
    """How many times as long distribution takes, by the medians; None if one was not measured."""
    medians = []
    for kind in (Kind.DISTRIBUTION, Kind.DEVHOST):
        found = results.find(
            TIMES, operation=operation, registry=kind.value, delay=delay, mode=Mode.ONE.value
        )
        if found is None:
            return None
        medians.append(found["p50"])
    return float(medians[0] / medians[1])


def verdicts(results: Results) -> Iterator[Verdict]:
    """All bars of which both sides were measured."""
    for operation in OPERATIONS:
        for delay, at_least in BARS[operation.name].items():
            found = ratio(results, operation.name, delay)
            if found is not None:
                yield Verdict(operation.name, f"{delay} ms", found, at_least)
    for ours in results.of(STREAMS, registry=Kind.DEVHOST.value):
        theirs = results.find(STREAMS, **{**ours.key, "registry": Kind.DISTRIBUTION.value})
        if theirs is not None:
            what = f"{ours.key['at_once']} x {ours.key['mib']} MiB, {ours.key['delay']} ms"
            yield Verdict(STREAMS, what, float(theirs["p50"] / ours.figures["p50"]), _EACH)
