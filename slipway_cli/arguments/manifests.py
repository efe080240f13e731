"""What `slipway manifest` takes."""

from __future__ import annotations

import argparse

from slipway_cli.arguments.registry import add, add_list, add_locks, add_yes

_MODULE = "content.manifests"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    listing = add(
        verbs,
        "list",
        (_MODULE, "list_all"),
        "List the manifests of a repository, the newest first, with their tags.",
        "manifest list registry.example.com/team/web",
        "manifest list registry.example.com/team/web --untagged -o tsv",
        "manifest list -r registry.example.com -n team/web --top 10 --detail",
        reference="REPOSITORY",
    )
    add_list(listing)
    listing.add_argument("--untagged", action="store_true", help="only those without a tag")
    add(
        verbs,
        "show",
        (_MODULE, "show"),
        "Show a manifest: what it is, its tags and locks, what may be done with it. "
        "With -o json, the manifest itself too.",
        "manifest show registry.example.com/team/web:v1",
        "manifest show registry.example.com/team/web:v1 -o json",
        reference="MANIFEST",
    )
    add(
        verbs,
        "tree",
        ("content.tree", "show"),
        "Show what belongs together: the manifests of an index, and what refers to each of them, "
        "such as signatures and SBOMs.",
        "manifest tree registry.example.com/team/web:v1",
        "manifest tree registry.example.com/team/web:v1 -o json",
        reference="MANIFEST",
    )
    delete = add(
        verbs,
        "delete",
        ("content.deletion", "delete"),
        "Delete manifests with all of their tags. One that an index needs is not deleted.",
        "manifest delete registry.example.com/team/web:v1",
        "manifest delete -r registry.example.com team/web@sha256:"
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --yes",
        reference="MANIFEST",
        nargs="*",
    )
    add_yes(delete)
    delete.add_argument(
        "--force", action="store_true", help="delete it even if an index needs it; do not look"
    )
    add(
        verbs,
        "list-deleted",
        ("content.deleted", "list_manifests"),
        "List the manifests that were deleted and can be restored, the latest deletion first.",
        "manifest list-deleted registry.example.com/team/web",
        reference="REPOSITORY",
    )
    restore = add(
        verbs,
        "restore",
        ("content.deleted", "restore"),
        "Restore a manifest that was deleted, with the tags that went with it and all that an "
        "index holds. With a tag, only that tag is restored along: of the manifest that had it "
        "last, or of the one that --digest names. Tags that point elsewhere by now stay.",
        "manifest restore registry.example.com/team/web:v1",
        "manifest restore registry.example.com/team/web@sha256:"
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        reference="MANIFEST",
    )
    restore.add_argument("--digest", "-d", help="the manifest that had the tag")
    restore.add_argument(
        "--force", "-f", action="store_true", help="take tags from where they point by now"
    )
    lock = add(
        verbs,
        "lock",
        (_MODULE, "lock"),
        "Lock manifests against new tags and deletion, or what the flags say.",
        "manifest lock registry.example.com/team/web:v1",
        "manifest lock registry.example.com/team/web:v1 --read",
        reference="MANIFEST",
        nargs="*",
    )
    add_locks(lock, is_lock=True)
    unlock = add(
        verbs,
        "unlock",
        (_MODULE, "unlock"),
        "Take the locks of manifests away. Those of their tags and of the repository stay.",
        "manifest unlock registry.example.com/team/web:v1",
        reference="MANIFEST",
        nargs="*",
    )
    add_locks(unlock, is_lock=False)
