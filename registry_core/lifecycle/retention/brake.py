"""The brake: a run that would take too much of a repository takes nothing of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from registry_core.lifecycle.retention.contents import Contents
from registry_core.lifecycle.retention.decide import Decision
from registry_core.lifecycle.retention.policy import Rule

FLOOR = 10
"""So many manifests, and so many tags, a rule may always take.

One push of an image for several platforms, with what attests them, has about as many manifests: a
repository that holds two of them could otherwise never lose the older one.
"""


def allowed(there: int, percent: int) -> int:
    """How many of so many manifests, or tags, a rule may take."""
    return max(FLOOR, there * percent // 100)


def stopping(rules: Sequence[Rule], found: Contents, made: Decision) -> str:
    """Why a decision is not to be carried out, in words; empty if it is.

    A rule may not take more than its part of the manifests, nor of the tags; and all of them
    together not the last tag of a repository, unless a brake of 100 percent says so.
    """
    there = {"manifests": len(found.manifests), "tags": len(found.tags)}
    brakes = {rule.name: rule.brake for rule in rules}
    for name, taken in made.taken.items():
        for (what, count), some in zip(there.items(), taken, strict=True):
            most = allowed(count, brakes[name])
            if some > most:
                return (
                    f"rule {name} would take {some} of {count} {what}; its brake allows {most} "
                    f"({brakes[name]} %)"
                )
    tags = sum(some for _, some in made.taken.values())
    if tags and tags == len(found.tags) and max(brakes[name] for name in made.taken) < 100:
        return f"every tag of it would go, all {tags}; that takes a rule with a brake of 100 %"
    return ""
