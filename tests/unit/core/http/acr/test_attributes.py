"""`changeableAttributes` in bodies and answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import RequestInvalid
from registry_core.http.acr import attributes
from registry_core.model.attributes import COLUMNS, Attributes

FIELDS = ("deleteEnabled", "writeEnabled", "readEnabled", "listEnabled")


@pytest.mark.parametrize(("field", "column"), list(zip(FIELDS, COLUMNS, strict=True)))
@pytest.mark.parametrize("value", [True, False])
def test_a_field_sets_its_column_and_no_other(field: str, column: str, value: bool) -> None:
    body = json.dumps({field: value, "teleportEnabled": "x", "imageName": None}).encode()
    assert attributes.parse(body) == {column: value}
    shown = attributes.shown(Attributes.from_row({column: value}))
    assert shown == {**dict.fromkeys(FIELDS, True), field: value}


def test_null_and_nothing_set_nothing() -> None:
    assert attributes.parse(b"{}") == {}
    assert attributes.parse(json.dumps(dict.fromkeys(FIELDS)).encode()) == {}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [0, 1, 1.5, "true", "", [], {}, [True]])
def test_a_value_that_is_neither_true_nor_false_is_refused_by_name(
    field: str, value: object
) -> None:
    with pytest.raises(RequestInvalid) as raised:
        attributes.parse(json.dumps({field: value}).encode())
    assert raised.value.detail == {"field": field}
    assert field in raised.value.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"[]", b"1"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid):
        attributes.parse(body)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
documents = st.dictionaries(st.sampled_from([*FIELDS, *COLUMNS, "imageName"]) | st.text(), values)


@given(documents | values)
def test_whatever_a_body_holds_only_true_and_false_set_what_they_name(document: object) -> None:
    known = document if isinstance(document, dict) else {}
    given_ = {field: known[field] for field in FIELDS if known.get(field) is not None}
    body = json.dumps(document).encode()
    if isinstance(document, dict) and all(isinstance(value, bool) for value in given_.values()):
        expected = {field[0].upper() + field[1:]: value for field, value in given_.items()}
        assert attributes.parse(body) == expected
        return
    with pytest.raises(RequestInvalid) as raised:
        attributes.parse(body)
    wrong = [field for field, value in given_.items() if not isinstance(value, bool)]
    told: list[object] = [{"field": field} for field in wrong]
    assert raised.value.detail in (told or [None])


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_or_set_nothing_else(body: bytes) -> None:
    try:
        found = attributes.parse(body)
    except RequestInvalid:
        return
    assert set(found) <= set(COLUMNS)
