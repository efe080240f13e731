"""What `slipway retention` takes."""

from __future__ import annotations

import argparse
from typing import Any

from slipway_cli.command import add, later

_PATTERN = "* is any characters but /, ** any characters, [a-z] one of a set"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    add(
        verbs,
        "show",
        later("retention", "show"),
        "Show the rules. With --output json it is the policy that `set` takes.",
        "retention show -o json > policy.json",
    )
    replaced = add(
        verbs,
        "set",
        later("retention", "replace_by_file"),
        "Replace all rules by those of a file, as `show -o json` writes it.",
        "retention set policy.json",
    )
    replaced.add_argument("file", metavar="FILE", help="the policy, as JSON; - is standard input")
    _add_rule(verbs)
    removed = add(
        verbs,
        "remove",
        later("retention", "remove"),
        "Remove a rule. Without rules nothing goes.",
        "retention remove --name old-builds",
    )
    removed.add_argument("--name", "-n", required=True, help="the name of the rule")
    _run(verbs)


def _add_rule(verbs: Any) -> None:
    parser = add(
        verbs,
        "add",
        later("retention", "add_rule"),
        "Add a rule: tags that go, and untagged manifests that go. Nothing goes before the next "
        "night, or `slipway retention run`.",
        "retention add --name builds --repository 'team/**' --tag 'build-*' --keep-last 20 "
        "--older-than 30d --untagged 7d",
    )
    parser.add_argument(
        "--name", "-n", required=True, help="1 to 50 lower-case letters, digits and '-'"
    )
    parser.add_argument(
        "--repository",
        action="append",
        required=True,
        metavar="PATTERN",
        help=f"the repositories that it is about: {_PATTERN}. You can repeat it",
    )
    parser.add_argument(
        "--every-repository",
        action="store_true",
        help="it is meant that the patterns match every repository",
    )
    tags = parser.add_argument_group("tags that go")
    tags.add_argument(
        "--tag",
        action="append",
        metavar="PATTERN",
        help="the tags that it is about (default: all). You can repeat it",
    )
    tags.add_argument(
        "--except-tag",
        action="append",
        metavar="PATTERN",
        help="tags that it is not about after all. You can repeat it",
    )
    tags.add_argument(
        "--keep-last",
        type=int,
        metavar="COUNT",
        help="so many of them stay, those that were updated last",
    )
    tags.add_argument(
        "--older-than", metavar="AGE", help="only those go that were updated before: 12h, 30d"
    )
    manifests = parser.add_argument_group("manifests that go")
    manifests.add_argument(
        "--untagged",
        metavar="AGE",
        help="those go that have had no tag for so long, and nothing needs: 0d, 12h, 7d",
    )
    parser.add_argument(
        "--brake",
        type=int,
        metavar="PERCENT",
        help="the part of a repository's manifests, and of its tags, that a run may take; of a "
        "repository that would lose more it takes nothing (default: 10). Ten may always go",
    )


def _run(verbs: Any) -> None:
    parser = add(
        verbs,
        "run",
        later("retention", "run"),
        "Delete by the rules now, in every repository that they are about. The app does the same "
        "each night. What was touched within the grace period stays, and so does what is locked, "
        "or needed by what stays.",
        "retention run --dry-run --repository team/web",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="delete nothing: only tell what would go, and why"
    )
    parser.add_argument(
        "--as-of",
        metavar="TIME",
        help="with --dry-run: what would go at this time, if nothing else happens until then",
    )
    parser.add_argument("--repository", metavar="PATTERN", help="only in these of the repositories")
    parser.add_argument(
        "--force",
        action="store_true",
        help="delete also where a rule would take more than its brake allows",
    )
