"""Rows and transactions on the wire, where storage in tests says less than Azure's does."""

import pytest

from registry_core.storage import entities, tables
from registry_core.storage.calls import Answer
from registry_core.storage.entities import Int64, Part
from registry_core.storage.faults import Ambiguous

AZURE = b"""--batchresponse_a\r
Content-Type: multipart/mixed; boundary=changesetresponse_b\r
\r
--changesetresponse_b\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
\r
HTTP/1.1 204 No Content\r
Content-ID: 0\r
X-Content-Type-Options: nosniff\r
Cache-Control: no-cache\r
Preference-Applied: return-no-content\r
DataServiceVersion: 3.0;\r
Location: https://acct.table.core.windows.net/t(PartitionKey='p',RowKey='a')\r
DataServiceId: https://acct.table.core.windows.net/t(PartitionKey='p',RowKey='a')\r
ETag: W/"datetime'2026-01-01T00%3A00%3A00.0000001Z'"\r
\r
\r
--changesetresponse_b\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
\r
HTTP/1.1 204 No Content\r
X-Content-Type-Options: nosniff\r
Cache-Control: no-cache\r
DataServiceVersion: 1.0;\r
\r
\r
--changesetresponse_b--\r
--batchresponse_a--\r
"""
"""As "Performing entity group transactions" shows it: an insertion and a deletion."""
REFUSED = b"""--batchresponse_a\r
Content-Type: multipart/mixed; boundary=changesetresponse_b\r
\r
--changesetresponse_b\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
\r
HTTP/1.1 404 Not Found\r
Content-ID: 1\r
Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8\r
\r
{"odata.error":{"code":"ResourceNotFound","message":{"lang":"en-US","value":"1:Not there."}}}\r
--changesetresponse_b--\r
--batchresponse_a--\r
"""


def test_the_answers_of_azure_to_a_transaction_are_read_in_order() -> None:
    insertion, deletion = entities.transaction_answers(AZURE)
    assert (insertion.status, deletion.status) == (204, 204)
    assert insertion.etag == "W/\"datetime'2026-01-01T00%3A00%3A00.0000001Z'\""
    assert deletion.etag == ""


def test_a_refused_transaction_tells_of_the_first_that_is_refused() -> None:
    (refused,) = entities.transaction_answers(REFUSED)
    assert refused.status == 404
    assert b"ResourceNotFound" in refused.rest


@pytest.mark.parametrize("body", [b"", b"<html>", AZURE[:-400], b"HTTP/1.1 204 No Content"])
def test_what_is_no_whole_answer_has_no_whole_number_of_them(body: bytes) -> None:
    assert len(entities.transaction_answers(body)) < 2


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"value": 1}', b'{"value": [{"RowKey": "k"}]}', b'{"odata.x": 1}'],
)
def test_what_is_no_page_of_rows_was_answered_by_somebody_else(body: bytes) -> None:
    with pytest.raises(Ambiguous):
        tables._page(Answer(200, {}, body))
    with pytest.raises(Ambiguous):
        tables._one(Answer(200, {}, body))


def test_a_key_cannot_end_its_quotation_nor_a_value_its_part() -> None:
    """What would be a row of another name, or another operation, is text."""
    values = {"A": "\r\n--changeset_0\r\n\r\nDELETE x HTTP/1.1\r\n", "N": Int64(1)}
    kind, body = entities.transaction("http://h", "t", "p'q", [Part("PUT", "k',RowKey='l", values)])
    lines = body.decode().split("\r\n")
    boundary = lines[1].rpartition("=")[2]
    assert kind.endswith(lines[0].removeprefix("--"))
    assert [line for line in lines if line.startswith("--changeset_")] == [
        f"--{boundary}",
        f"--{boundary}--",
    ]
    assert "PUT http://h/t(PartitionKey='p''q',RowKey='k'',RowKey%3D''l') HTTP/1.1" in lines
    assert not any(line.startswith("DELETE") for line in lines)


def test_the_length_of_a_part_is_that_of_its_bytes() -> None:
    _, body = entities.transaction("http://h", "t", "p", [Part("POST", "k", {"A": "ü\U0001f40b"})])
    head, _, rest = body.partition(b"Content-Length: ")
    length, _, rest = rest.partition(b"\r\n\r\n")
    assert rest[int(length) :].startswith(b"\r\n--changeset_")
    assert b"POST http://h/t HTTP/1.1\r\n" in head


SELECTED = (
    b'{"PartitionKey":"p","RowKey":"k","Timestamp":"2026-01-01T00:00:00.0000001Z",'
    b'"odata.etag":"W/\\"e\\"","Live":true,"Text":null,"Size":null,"Bytes0":null,'
    b'"Size@odata.type":"Edm.Int64","Bytes0@odata.type":"Edm.Binary"}'
)
"""As Azure answers a query for columns of which three are not there; the emulator omits them."""


def test_a_column_that_is_not_there_is_left_out_where_it_was_asked_for() -> None:
    row = tables._one(Answer(200, {}, SELECTED))
    assert row.values == {"Live": True}
    assert (row.text("Text"), row.number("Size")) == ("", 0)


@pytest.mark.parametrize("fraction", ["", *(f".{'1234567'[:digits]}" for digits in range(1, 8))])
def test_the_version_of_a_row_follows_from_its_time_where_it_is_not_told(fraction: str) -> None:
    time = f"2026-01-01T00:00:00{fraction}Z"
    body = f'{{"PartitionKey":"p","RowKey":"k","Timestamp":"{time}"}}'.encode()
    row = tables._one(Answer(200, {}, body))
    assert row.etag == f"W/\"datetime'2026-01-01T00%3A00%3A00{fraction}Z'\""
    assert row.timestamp.isoformat(timespec="microseconds").startswith(time.rstrip("Z")[:26])
