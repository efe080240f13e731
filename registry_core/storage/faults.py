"""What storage's refusals mean, in the terms of the protocol.

Azure's exceptions end here. A refusal that a rule of the protocol expects is one of the classes
below; any other failure of storage becomes `errors.Unavailable` (503) at the HTTP edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from registry_core.errors import Unavailable

NO_RETRY: dict[str, Any] = {"retry_total": 0}
"""For writes: a blind retry could apply them twice; the protocol decides what to do instead."""


class StorageFault(Exception):
    """A call to storage that did not do what was asked."""


class RowMissing(StorageFault):
    """404: a row that had to exist does not."""


class StoreMissing(StorageFault):
    """404: the table or container itself. Of its rows nothing is known."""


class Full(StorageFault):
    """409: an object that has as many blocks as it can have."""


class NoRoom(StorageFault):
    """507: storage takes nothing more. Not Azure's, which grows: of the emulator on a full disk."""


class RowExists(StorageFault):
    """409: a row that had to be new exists."""


class ConditionFailed(StorageFault):
    """412, or 416 of a range: what was read before has changed."""


class Ambiguous(StorageFault):
    """No answer, or a 5xx: it may have been applied or not."""


class Refused(StorageFault):
    """The call is not allowed: nobody is signed in here, or this identity has no role for it.

    The first while Entra ID, or the endpoint of the managed identity, does not answer; the second
    for the minutes until a role that was given counts.
    """

    def __init__(self, code: str, *, is_signed_in: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_signed_in = is_signed_in


_STORE_MISSING = frozenset({"TableNotFound", "ContainerNotFound"})
_EXISTING = frozenset({"EntityAlreadyExists", "BlobAlreadyExists", ""})
_FULL = frozenset({"BlockCountExceedsLimit"})


def classify(error: AzureError) -> StorageFault | None:
    """The fault that `error` is; None for a refusal that no rule expects."""
    if isinstance(error, (ServiceRequestError, ServiceResponseError, IncompleteReadError)):
        return Ambiguous(str(error))
    if not isinstance(error, HttpResponseError):
        return None
    status, code = error.status_code, _code(error)
    if isinstance(error, ClientAuthenticationError) and status is None:
        return Refused(type(error).__name__, is_signed_in=False)
    if status in (401, 403):
        return Refused(code or str(status), is_signed_in=True)
    fault = _of_status(status or 0, code)
    return fault(str(error)) if fault else None


def _of_status(status: int, code: str) -> type[StorageFault] | None:
    if status == 404:
        return StoreMissing if code in _STORE_MISSING else RowMissing
    if status == 409 and code in _FULL:
        return Full
    if status == 409 and code in _EXISTING:
        return RowExists
    if status in (304, 412, 416):
        return ConditionFailed
    if status == 507:
        return NoRoom
    # Other conflicts are of storage with itself: a table or container that is being deleted.
    return Ambiguous if status in (408, 409, 429) or status >= 500 else None


def _code(error: HttpResponseError) -> str:
    """Storage's own error code; empty where it gave none."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


@contextmanager
def translated() -> Iterator[None]:
    """Raises storage's refusals as faults; anything unexpected as it came."""
    try:
        yield
    except AzureError as error:
        fault = classify(error)
        if fault is None:
            raise
        raise fault from error


@contextmanager
def reading() -> Iterator[None]:
    """For reads, which change nothing: an ambiguous one has simply failed (503)."""
    try:
        with translated():
            yield
    except Ambiguous as fault:
        raise Unavailable from fault
