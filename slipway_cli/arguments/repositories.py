"""What `slipway repository` takes."""

from __future__ import annotations

import argparse

from slipway_cli.arguments.registry import add, add_locks, add_yes

_MODULE = "content.repositories"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    listing = add(
        verbs,
        "list",
        (_MODULE, "list_all"),
        "List the repositories, or those whose names begin with PREFIX.",
        "repository list registry.example.com",
        "repository list registry.example.com/team/",
        "repository list team/ -o tsv",
        reference="PREFIX",
    )
    listing.set_defaults(is_about_registry=True)
    deleted = add(
        verbs,
        "list-deleted",
        ("content.deleted", "list_repositories"),
        "List the repositories in which something was deleted that can be restored.",
        "repository list-deleted registry.example.com",
        reference="PREFIX",
    )
    deleted.set_defaults(is_about_registry=True)
    add(
        verbs,
        "show",
        (_MODULE, "show"),
        "Show a repository: how much is in it, its times, its locks.",
        "repository show registry.example.com/team/web",
        "repository show --name registry.example.com --repository team/web -o json",
        reference="REPOSITORY",
    )
    usage = add(
        verbs,
        "usage",
        ("content.usage", "show"),
        "Show how much repositories hold: counts, bytes, and what of it is shared. Of those that "
        "are named, or of all.",
        "repository usage registry.example.com",
        "repository usage registry.example.com/team/web registry.example.com/team/api",
        "repository usage team/web -o json",
        reference="REPOSITORY",
        nargs="*",
    )
    usage.set_defaults(is_about_registry=True)
    delete = add(
        verbs,
        "delete",
        (_MODULE, "delete"),
        "Delete a repository with all manifests and tags in it. A large one takes some minutes: "
        "the command goes on until it is done. You can repeat it.",
        "repository delete registry.example.com/team/web",
        "repository delete registry.example.com/team/web --yes",
        reference="REPOSITORY",
    )
    add_yes(delete)
    lock = add(
        verbs,
        "lock",
        (_MODULE, "lock"),
        "Lock a repository, with all that is in it: against pushes and deletions, or what the "
        "flags say.",
        "repository lock registry.example.com/team/web",
        "repository lock registry.example.com/team/web --delete",
        reference="REPOSITORY",
    )
    add_locks(lock, is_lock=True)
    unlock = add(
        verbs,
        "unlock",
        (_MODULE, "unlock"),
        "Allow pushes and deletions again, or what the flags say. Locks of manifests and tags "
        "stay.",
        "repository unlock registry.example.com/team/web",
        "repository unlock registry.example.com/team/web --read --list",
        reference="REPOSITORY",
    )
    add_locks(unlock, is_lock=False)
