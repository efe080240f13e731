"""What people can do about what no repair can mend."""

from __future__ import annotations

from registry_core.model.invariants import Finding, Invariant

_ADVICE = {
    Invariant.TAG: "push the tag again, or delete it: slipway tag delete",
    Invariant.MANIFEST: "its bytes are lost here: delete the manifest by its digest, and push it "
    "again from a copy, or restore a backup",
    Invariant.CONTENT: "the bytes are not those that were pushed. Delete this object from the "
    "container content, run slipway fsck --repair, and push an image that has the blob again",
    Invariant.READABLE: "no release of Slipway wrote this row so. Look at it with a tool for "
    "Table Storage, and restore what it held from a backup, or delete it and push again",
}


_BYTES_ARE_LOST = (
    "no object in this account has its bytes. Push an image that has the blob again, or put the "
    "object back, and run slipway fsck --repair"
)
_AGAIN = "it could not be mended: run slipway fsck --repair again"


DOCUMENT = (
    "for keys, docs/runbook.md says what to do. Of tokens, scope maps and roles, delete the row "
    "that is wrong and make it anew with the command line"
)


def lost(invariant: Invariant) -> str:
    """What to do about what was to be mended, and could not be."""
    is_blob = invariant in (Invariant.OBJECTS, Invariant.CONTENT_ROW, Invariant.LINKS)
    return _BYTES_ARE_LOST if is_blob else _AGAIN


def advice(finding: Finding) -> str:
    """What to do; empty where repair can mend it."""
    return _ADVICE.get(finding.invariant, "")
