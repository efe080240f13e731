from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from registry_core.errors import Unavailable
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    Full,
    Refused,
    RowExists,
    RowMissing,
    StorageFault,
    StoreMissing,
    classify,
    reading,
    translated,
)


def answered(
    status: int, kind: type[HttpResponseError] = HttpResponseError, code: str = ""
) -> HttpResponseError:
    response: Any = SimpleNamespace(status_code=status, reason="", headers={}, text=lambda: "")
    error: Any = kind(f"refused {code}", response=response)
    error.status_code = status
    if code:
        error.error_code = code
    found: HttpResponseError = error
    return found


REFUSALS = [
    (answered(404, ResourceNotFoundError), RowMissing),
    (answered(404), RowMissing),
    (answered(409, ResourceExistsError), RowExists),
    (answered(412, ResourceModifiedError), ConditionFailed),
    (answered(304), ConditionFailed),
    (answered(416, code="InvalidRange"), ConditionFailed),
    (answered(404, code="EntityNotFound"), RowMissing),
    (answered(404, code="TableNotFound"), StoreMissing),
    (answered(404, code="ContainerNotFound"), StoreMissing),
    (answered(409, code="EntityAlreadyExists"), RowExists),
    (answered(409, code="BlobAlreadyExists"), RowExists),
    (answered(409, code="BlockCountExceedsLimit"), Full),
    # Refused because the store is going away: nothing exists that could be looked at.
    (answered(409, code="TableBeingDeleted"), Ambiguous),
    (answered(409, code="ContainerBeingDeleted"), Ambiguous),
    (answered(408), Ambiguous),
    (answered(429), Ambiguous),
    (answered(500), Ambiguous),
    (answered(503), Ambiguous),
    (answered(504), Ambiguous),
    (ServiceRequestError("no connection"), Ambiguous),
    (ServiceRequestTimeoutError("no connection in time"), Ambiguous),
    (ServiceResponseError("no answer"), Ambiguous),
    (ServiceResponseTimeoutError("no answer in time"), Ambiguous),
    (IncompleteReadError("half an answer"), Ambiguous),
    (answered(401, ClientAuthenticationError), Refused),
    (answered(403, code="AuthorizationPermissionMismatch"), Refused),
    (ClientAuthenticationError("nobody is signed in"), Refused),
]
UNEXPECTED = [
    answered(400),
    answered(413),
    AzureError("something else"),
]


def raised(manager: AbstractContextManager[None], error: Exception) -> Exception:
    with pytest.raises(Exception) as caught, manager:  # noqa: PT011 - any is looked at
        raise error
    return caught.value


@pytest.mark.parametrize(("error", "fault"), REFUSALS, ids=lambda value: str(value)[:30])
def test_a_refusal_that_the_protocol_knows_is_its_fault(
    error: AzureError, fault: type[StorageFault]
) -> None:
    assert type(classify(error)) is fault
    found = raised(translated(), error)
    assert type(found) is fault
    assert found.__cause__ is error


@pytest.mark.parametrize("error", UNEXPECTED, ids=str)
def test_any_other_refusal_stays_what_it_is(error: AzureError) -> None:
    assert classify(error) is None
    assert raised(translated(), error) is error
    assert raised(reading(), error) is error


@pytest.mark.parametrize(("error", "fault"), REFUSALS, ids=lambda value: str(value)[:30])
def test_an_ambiguous_read_has_simply_failed(error: AzureError, fault: type[StorageFault]) -> None:
    expected = Unavailable if fault is Ambiguous else fault
    assert type(raised(reading(), error)) is expected


@pytest.mark.parametrize("manager", [translated, reading])
def test_what_is_not_storages_passes_unchanged(manager: Any) -> None:
    error = ValueError("ours")
    assert raised(manager(), error) is error
    with manager():
        pass


def test_who_is_not_signed_in_is_told_apart_from_who_has_no_role() -> None:
    nobody = classify(ClientAuthenticationError("nobody is signed in"))
    assert isinstance(nobody, Refused)
    assert not nobody.is_signed_in
    somebody = classify(answered(403, code="AuthorizationPermissionMismatch"))
    assert isinstance(somebody, Refused)
    assert (somebody.is_signed_in, somebody.code) == (True, "AuthorizationPermissionMismatch")
