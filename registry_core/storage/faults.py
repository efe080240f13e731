"""What storage's refusals mean, in the terms of the protocol.

A refusal that a rule of the protocol expects is one of the classes below, which the HTTP edge
answers by 503 where nobody has dealt with them; any other is `UnexpectedRefusal`, a fault of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


class StorageFault(Exception):
    """A call to storage that did not do what was asked."""


class RowMissing(StorageFault):
    """404: a row that had to exist does not."""


class StoreMissing(StorageFault):
    """404: the table, container or queue itself. Of its rows nothing is known."""


class Full(StorageFault):
    """409: an object that has as many blocks as it can have."""


class NoRoom(StorageFault):
    """507: storage takes nothing more. Not Azure's, which grows: of the emulator on a full disk."""


class RowExists(StorageFault):
    """409: what had to be new exists."""


class ConditionFailed(StorageFault):
    """412, or 416 of a range: what was read before has changed."""


class Ambiguous(StorageFault):
    """No answer, or a 5xx: it may have been applied or not."""


class Taken(StorageFault):
    """409: somebody else has the lease."""


class SourceUnreachable(StorageFault):
    """Storage was to copy an object from an address, and could not read it there.

    It is not there, or a firewall is between the two accounts: who sends the bytes may get through.
    """


class Refused(StorageFault):
    """The call is not allowed: nobody is signed in here, or this identity has no role for it.

    The first while Entra ID, or the endpoint of the managed identity, does not answer; the second
    for the minutes until a role that was given counts.
    """

    def __init__(self, code: str, *, is_signed_in: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_signed_in = is_signed_in


class UnexpectedRefusal(Exception):
    """Any other: what was asked for makes no sense to storage."""


_STORE_MISSING = frozenset({"TableNotFound", "ContainerNotFound", "QueueNotFound"})
_CONFLICTS: Mapping[str, type[StorageFault]] = {
    "EntityAlreadyExists": RowExists,
    "BlobAlreadyExists": RowExists,
    "": RowExists,
    "TableAlreadyExists": RowExists,
    "ContainerAlreadyExists": RowExists,
    "QueueAlreadyExists": RowExists,
    "BlockCountExceedsLimit": Full,
    "LeaseAlreadyPresent": Taken,
    "LeaseIdMismatchWithLeaseOperation": Taken,
    "LeaseNotPresentWithLeaseOperation": Taken,
    "LeaseIsBrokenAndCannotBeRenewed": Taken,
}
"""What a 409 means, by its code; no code is that of an answer without one."""
_SOURCE_UNREACHABLE = "CannotVerifyCopySource"
_CODE = re.compile(rb'(?:"code"\s*:\s*"|<code>)(\w+)', re.IGNORECASE)
"""In JSON, and in the XML of who refuses a request before the tables' service has read it."""


def refusal(status: int, headers: Mapping[str, str], body: bytes = b"") -> Exception:
    """The fault that an answer is which is no success; `UnexpectedRefusal` if no rule expects it.

    `body` is that of the tables' service, or empty: objects have the code in a header.
    """
    code = headers.get("x-ms-error-code") or _code(body)
    text = f"storage answered {status} {code}".rstrip()
    if code == _SOURCE_UNREACHABLE:  # With the status that the source answered.
        return SourceUnreachable(text)
    if status in (401, 403):
        return Refused(code or str(status), is_signed_in=True)
    fault = _of_status(status, code)
    return fault(text) if fault else UnexpectedRefusal(text)


def _of_status(status: int, code: str) -> type[StorageFault] | None:
    if status == 404:
        return StoreMissing if code in _STORE_MISSING else RowMissing
    if status == 409:
        # Others are of storage with itself: a table or container that is being deleted.
        return _CONFLICTS.get(code, Ambiguous)
    if status in (304, 412, 416):
        return ConditionFailed
    if status == 507:
        return NoRoom
    return Ambiguous if status in (408, 429) or status >= 500 else None


def _code(body: bytes) -> str:
    """Storage's own error code, of an answer of the tables' service; empty where it gave none."""
    found = _CODE.search(body)
    return found[1].decode() if found else ""
