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


class RowExists(StorageFault):
    """409: a row that had to be new exists."""


class ConditionFailed(StorageFault):
    """412: what was read before has changed."""


class Ambiguous(StorageFault):
    """No answer, or a 5xx: it may have been applied or not."""


def classify(error: AzureError) -> StorageFault | None:
    """The fault that `error` is; None for a refusal that no rule expects."""
    if isinstance(error, (ServiceRequestError, ServiceResponseError, IncompleteReadError)):
        return Ambiguous(str(error))
    if isinstance(error, HttpResponseError):
        status = error.status_code or 0
        if status == 404:
            return RowMissing(str(error))
        if status == 409:
            return RowExists(str(error))
        if status in (304, 412):
            return ConditionFailed(str(error))
        if status in (408, 429) or status >= 500:
            return Ambiguous(str(error))
    return None


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
