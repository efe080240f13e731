"""What storage calls are said to read and write, against the requests that are made."""

import pytest

from registry_core.storage import entities
from registry_core.storage.calls import Request
from registry_core.storage.entities import Part
from tests.interference.operations import Operation, operations_of

ACCOUNT = "https://acct.table.core.windows.net"
AZURITE = "http://127.0.0.1:10000/devstoreaccount1"


def entity(method: str, table: str, partition: str, key: str) -> Request:
    return Request(method, f"{ACCOUNT}/{table}(PartitionKey='{partition}',RowKey='{key}')")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            entity("GET", "repositories", "team.x", "m%3Asha256%3Aab"),
            Operation("GET", "repositories", "team.x", "m:sha256:ab"),
        ),
        (
            Request(
                "GET",
                f"{ACCOUNT}/blobs()?$filter=PartitionKey%20eq%20%27d%27%20and%20RowKey%20ge%20"
                "%27r%3A%27%20and%20RowKey%20lt%20%27s%27",
            ),
            Operation("GET", "blobs", "d", "r:", "s"),
        ),
        (
            Request("PUT", f"{AZURITE}/content/uploads/2026-01-01/x?comp=appendblock"),
            Operation("PUT", "content", "", "uploads/2026-01-01/x", action="appendblock"),
        ),
        (
            Request("HEAD", "https://acct.blob.core.windows.net/content/uploads/x"),
            Operation("HEAD", "content", "", "uploads/x"),
        ),
        (
            Request("HEAD", "https://blobs.example.com/content/uploads/x"),
            Operation("HEAD", "content", "", "uploads/x"),
        ),
    ],
)
def test_a_call_names_the_row_range_or_object_it_concerns(
    request_: Request, expected: Operation
) -> None:
    assert operations_of(request_) == (expected,)


def test_a_transaction_has_an_operation_for_each_of_its_parts() -> None:
    parts = [
        Part("POST", "new", {"A": "POST x HTTP/1.1"}),
        Part("PATCH", "old's", {}),
        Part("DELETE", "older", {}, "*"),
    ]
    _, body = entities.transaction(ACCOUNT, "catalog", "p", parts)
    assert operations_of(Request("POST", f"{ACCOUNT}/$batch", {}, body)) == (
        Operation("POST", "catalog", "p", "new"),
        Operation("PATCH", "catalog", "p", "old's"),
        Operation("DELETE", "catalog", "p", "older"),
    )


ROW = Operation("PATCH", "t", "p", "b")


@pytest.mark.parametrize(
    ("other", "touches"),
    [
        (Operation("GET", "t", "p", "b"), True),
        (Operation("GET", "t", "p", "c"), False),
        (Operation("GET", "t", "q", "b"), False),
        (Operation("GET", "u", "p", "b"), False),
        (Operation("GET", "t", "p", "a", "c"), True),
        (Operation("GET", "t", "p", "b", "c"), True),
        (Operation("GET", "t", "p", "a", "b"), False),
        (Operation("GET", "t", "p", "c", "d"), False),
    ],
)
def test_two_operations_touch_if_one_same_row_concerns_both(
    other: Operation, touches: bool
) -> None:
    assert ROW.touches(other) is touches
    assert other.touches(ROW) is touches


def test_ranges_touch_where_they_overlap() -> None:
    one = Operation("GET", "t", "p", "a", "c")
    assert one.touches(Operation("GET", "t", "p", "b", "d"))
    assert not one.touches(Operation("GET", "t", "p", "c", "d"))
