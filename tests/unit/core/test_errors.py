import inspect
import json

import pytest

from registry_core import errors
from registry_core.errors import RegistryError, Unavailable, reason_of

# The codes of distribution-spec 1.1, "Error Codes", and of CNCF distribution and Azure Container
# Registry, each with the status that those registries answer it with.
TABLE = {
    "BlobUnknown": (404, "BLOB_UNKNOWN"),
    "BlobUploadUnknown": (404, "BLOB_UPLOAD_UNKNOWN"),
    "DigestInvalid": (400, "DIGEST_INVALID"),
    "ManifestBlobUnknown": (400, "MANIFEST_BLOB_UNKNOWN"),
    "ManifestInvalid": (400, "MANIFEST_INVALID"),
    "ManifestUnknown": (404, "MANIFEST_UNKNOWN"),
    "NameInvalid": (400, "NAME_INVALID"),
    "NameUnknown": (404, "NAME_UNKNOWN"),
    "SizeInvalid": (413, "SIZE_INVALID"),
    "LengthInvalid": (400, "SIZE_INVALID"),
    "Unauthorized": (401, "UNAUTHORIZED"),
    "Denied": (403, "DENIED"),
    "Unsupported": (405, "UNSUPPORTED"),
    "TagInvalid": (400, "TAG_INVALID"),
    "TagUnknown": (404, "TAG_UNKNOWN"),
    "TooManyTags": (414, "TAG_INVALID"),
    "RangeInvalid": (416, "RANGE_INVALID"),
    "PaginationNumberInvalid": (400, "PAGINATION_NUMBER_INVALID"),
    "RequestInvalid": (400, "REQUEST_INVALID"),
    "UnknownRoute": (404, "NOT_FOUND"),
    "DisallowedOperation": (405, "REGISTRY_DISALLOWED_OPERATION"),
    "TagExists": (409, "TAG_EXISTS"),
    "Unavailable": (503, "UNAVAILABLE"),
    "InsufficientStorage": (503, "UNAVAILABLE"),
    "GrantUnsupported": (400, "UNSUPPORTED_GRANT"),
    "ScopeInvalid": (400, "SCOPE_INVALID"),
    "TooManyRequests": (429, "TOOMANYREQUESTS"),
    "InternalError": (500, "UNKNOWN"),
}
CLASSES: dict[str, type[RegistryError]] = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, RegistryError) and found is not RegistryError
}


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_has_its_status_and_code(name: str) -> None:
    assert (CLASSES[name].status, CLASSES[name].code) == TABLE[name]


def test_every_code_of_the_table_has_a_class() -> None:
    assert CLASSES.keys() >= TABLE.keys()


@pytest.mark.parametrize("kind", CLASSES.values())
def test_a_body_is_that_of_the_distribution_spec(kind: type[RegistryError]) -> None:
    body = kind("what happened", detail={"a": ["b", 1]}).body()
    assert body.endswith(b"}\n")
    assert json.loads(body) == {
        "errors": [{"code": kind.code, "message": "what happened", "detail": {"a": ["b", 1]}}]
    }


@pytest.mark.parametrize("kind", CLASSES.values())
def test_a_message_is_always_there_and_a_detail_only_if_given(kind: type[RegistryError]) -> None:
    (error,) = json.loads(kind().body())["errors"]
    assert error == {"code": kind.code, "message": kind.message}
    assert error["message"]
    assert str(kind()) == kind.message


@pytest.mark.parametrize("text", ['"}]}', "\x00\n", "é😀", "\ud800", "<script>"])
def test_whatever_a_client_sent_leaves_the_body_valid_ascii(text: str) -> None:
    body = errors.NameInvalid(text, detail={"name": text}).body()
    assert body.isascii()
    assert json.loads(body)["errors"][0]["detail"] == {"name": text}


def test_headers_are_the_errors_own() -> None:
    headers = {"Allow": "GET"}
    error = errors.Unsupported(headers=headers)
    headers["Allow"] = "PUT"
    assert error.headers == {"Allow": "GET"}
    assert errors.Unsupported().headers == {}


def test_unavailable_says_when_to_come_back() -> None:
    assert int(errors.Unavailable().headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"errors": []}', b'{"errors": [5]}', b"\xff", 9999 * b"["]
)
def test_what_is_no_error_body_has_no_reason(body: bytes) -> None:
    assert reason_of(body) == ""


def test_the_reason_of_an_error_body_is_one_line() -> None:
    told = reason_of(Unavailable("busy\x1b[2J\ntry again").body())
    assert told == "UNAVAILABLE: busy [2J try again"
