"""What one tag and the manifests that it may name are, to clients: a register of a few values.

The state is which manifest the tag names, and which manifests are there. All that a request does to
both it does at one moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """What a client asks for."""

    PUSH = "push"
    """Pushes a manifest by the tag."""
    UNTAG = "untag"
    DELETE = "delete"
    """Deletes a manifest by its digest, and with it the tag if that names it."""
    READ = "read"
    """Asks for the manifest that the tag names, or only which one."""
    PULL = "pull"
    """Asks for a manifest by its digest."""


@dataclass(frozen=True)
class Act:
    """What was asked, and what was told."""

    verb: Verb
    digest: str = ""
    """The manifest that was asked for; of a read the one that was told, empty if there is none."""
    is_found: bool = True
    """False if it was told that there is no such thing."""
    is_sure: bool = True
    """False of a deletion that may have met its own work, and told of it as if done just now."""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing, whatever the state is."""
        return self.verb in (Verb.READ, Verb.PULL) or (
            self.verb is not Verb.PUSH and not self.is_found
        )


@dataclass(frozen=True)
class State:
    """What is there."""

    tag: str = ""
    """The digest that the tag names, empty if there is no tag."""
    manifests: frozenset[str] = frozenset()


def step(state: State, act: Act) -> State | None:
    """The state after an act; None if what was told is not true of this state."""
    if act.verb is Verb.PUSH:
        return State(act.digest, state.manifests | {act.digest})
    if act.verb is Verb.READ:
        return state if act.digest == state.tag else None
    is_there = bool(state.tag) if act.verb is Verb.UNTAG else act.digest in state.manifests
    if act.is_found != is_there:
        return state if act.is_found and not act.is_sure else None
    return _less(state, act) if act.is_found else state


def _less(state: State, act: Act) -> State:
    """The state after something was found, and deleted if that was asked for."""
    if act.verb is Verb.PULL:
        return state
    if act.verb is Verb.UNTAG:
        return State("", state.manifests)
    tag = "" if state.tag == act.digest else state.tag
    return State(tag, state.manifests - {act.digest})
