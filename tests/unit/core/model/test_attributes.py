from itertools import product

import pytest

from registry_core.errors import DisallowedOperation
from registry_core.model.attributes import COLUMNS, Attributes


def raises(attributes: Attributes, operation: str) -> bool:
    try:
        getattr(attributes, f"check_{operation}")("tag v1")
    except DisallowedOperation as error:
        return "tag v1" in error.text
    return False


@pytest.mark.parametrize("row", [None, {}, {"Digest": "x"}, dict.fromkeys(COLUMNS, True)])
def test_without_a_lock_everything_is_allowed(row: dict[str, object] | None) -> None:
    attributes = Attributes.from_row(row)
    assert attributes == Attributes()
    assert not any(raises(attributes, what) for what in ("write", "delete", "read"))


@pytest.mark.parametrize("locked", COLUMNS)
def test_each_column_is_one_attribute(locked: str) -> None:
    attributes = Attributes.from_row({locked: False})
    values = (
        attributes.delete_enabled,
        attributes.write_enabled,
        attributes.read_enabled,
        attributes.list_enabled,
    )
    assert dict(zip(COLUMNS, values, strict=True)) == {name: name != locked for name in COLUMNS}


@pytest.mark.parametrize(("delete", "write", "read"), [*product([True, False], repeat=3)])
def test_a_write_lock_forbids_deletion_too(delete: bool, write: bool, read: bool) -> None:
    attributes = Attributes(delete, write, read)
    assert raises(attributes, "write") is not write
    assert raises(attributes, "delete") is not (delete and write)
    assert raises(attributes, "read") is not read
