"""What storage's refusals mean."""

import pytest

from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    Full,
    NoRoom,
    Refused,
    RowExists,
    RowMissing,
    StorageFault,
    StoreMissing,
    UnexpectedRefusal,
    refusal,
)

REFUSALS: list[tuple[int, str, type[StorageFault]]] = [
    (404, "", RowMissing),
    (404, "ResourceNotFound", RowMissing),
    (404, "EntityNotFound", RowMissing),
    (404, "BlobNotFound", RowMissing),
    (404, "TableNotFound", StoreMissing),
    (404, "ContainerNotFound", StoreMissing),
    (409, "", RowExists),
    (409, "EntityAlreadyExists", RowExists),
    (409, "BlobAlreadyExists", RowExists),
    (409, "BlockCountExceedsLimit", Full),
    # Refused because the store is going away: nothing exists that could be looked at.
    (409, "TableBeingDeleted", Ambiguous),
    (409, "ContainerBeingDeleted", Ambiguous),
    (412, "UpdateConditionNotSatisfied", ConditionFailed),
    (412, "AppendPositionConditionNotMet", ConditionFailed),
    (304, "", ConditionFailed),
    (416, "InvalidRange", ConditionFailed),
    (507, "", NoRoom),
    (408, "", Ambiguous),
    (429, "", Ambiguous),
    (500, "InternalError", Ambiguous),
    (503, "ServerBusy", Ambiguous),
    (504, "", Ambiguous),
    (401, "", Refused),
    (403, "AuthorizationPermissionMismatch", Refused),
]


@pytest.mark.parametrize(("status", "code", "fault"), REFUSALS)
def test_a_refusal_that_the_protocol_knows_is_its_fault(
    status: int, code: str, fault: type[StorageFault]
) -> None:
    """Objects tell the code in a header, rows in the body: in JSON, or in XML before it is read."""
    body = f'{{"odata.error":{{"code":"{code}","message":{{"value":"x \\"code\\":\\"y"}}}}}}'
    xml = f'<?xml version="1.0"?><error xmlns="m"><code>{code}</code><message>x</message></error>'
    told = [({"x-ms-error-code": code}, ""), ({}, body), ({}, xml)]
    for headers, text in told:
        found = refusal(status, headers, text.encode())
        assert type(found) is fault
        assert code in str(found)


@pytest.mark.parametrize("status", [400, 405, 413, 302])
def test_any_other_refusal_is_a_fault_of_ours(status: int) -> None:
    found = refusal(status, {}, b"<html>")
    assert type(found) is UnexpectedRefusal
    assert str(status) in str(found)


def test_who_has_no_role_is_told_as_signed_in() -> None:
    found = refusal(403, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
    assert isinstance(found, Refused)
    assert (found.is_signed_in, found.code) == (True, "AuthorizationPermissionMismatch")
