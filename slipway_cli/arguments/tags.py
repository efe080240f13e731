"""What `slipway tag` takes."""

from __future__ import annotations

import argparse

from slipway_cli.arguments.registry import add, add_list, add_locks, add_yes

_MODULE = "content.tags"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    listing = add(
        verbs,
        "list",
        (_MODULE, "list_all"),
        "List the tags of a repository, the newest first. Tags of signatures are left out.",
        "tag list registry.example.com/team/web",
        "tag list registry.example.com/team/web --top 10 -o json",
        "tag list -n registry.example.com --repository team/web --orderby time_asc --detail",
        reference="REPOSITORY",
    )
    add_list(listing)
    listing.add_argument("--all", action="store_true", help="tags of signatures too (sha256-….sig)")
    delete = add(
        verbs,
        "delete",
        (_MODULE, "delete"),
        "Delete tags alone: their manifests, and other tags of these, stay.",
        "tag delete registry.example.com/team/web:v1",
        "tag delete registry.example.com/team/web:v1 registry.example.com/team/web:v2 --yes",
        "tag delete -r registry.example.com team/web:v1 team/web:v2",
        reference="TAG",
        nargs="*",
    )
    add_yes(delete)
    add(
        verbs,
        "list-deleted",
        ("content.deleted", "list_tags"),
        "List the tags that were deleted and can be restored, the latest deletion first.",
        "tag list-deleted registry.example.com/team/web",
        reference="REPOSITORY",
    )
    lock = add(
        verbs,
        "lock",
        (_MODULE, "lock"),
        "Lock tags: they are not pointed elsewhere and not deleted, nor are their manifests.",
        "tag lock registry.example.com/team/web:v1",
        "tag lock registry.example.com/team/web:v1 --delete",
        reference="TAG",
        nargs="*",
    )
    add_locks(lock, is_lock=True)
    unlock = add(
        verbs,
        "unlock",
        (_MODULE, "unlock"),
        "Take the locks of tags away. Those of their manifests and of the repository stay.",
        "tag unlock registry.example.com/team/web:v1",
        "tag unlock registry.example.com/team/web:v1 --read",
        reference="TAG",
        nargs="*",
    )
    add_locks(unlock, is_lock=False)
