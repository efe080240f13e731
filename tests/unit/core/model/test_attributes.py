"""Locks, held against what ACR documents: the table here is written from its pages, by hand."""

from itertools import product

import pytest

from registry_core.errors import DisallowedOperation
from registry_core.model.attributes import COLUMNS, FORBIDS, Attributes, Target, Use

EXPECTED = {
    # "Locks the repository and all images in it"; reading stays possible.
    ("repository", "writeEnabled"): {
        "push",
        "untag",
        "delete a manifest",
        "delete a blob",
        "delete the repository",
    },
    # The repository itself; its images can still be changed and deleted.
    ("repository", "deleteEnabled"): {"delete the repository"},
    ("repository", "readEnabled"): {"pull"},
    ("repository", "listEnabled"): {"list"},
    # No new tag, and it does not go, with the repository neither. Its tags may be taken away.
    ("manifest", "writeEnabled"): {"push", "delete a manifest", "delete the repository"},
    ("manifest", "deleteEnabled"): {"delete a manifest", "delete the repository"},
    ("manifest", "readEnabled"): {"pull"},
    ("manifest", "listEnabled"): {"list"},
    # It stays where it is, and what it points at stays with it.
    ("tag", "writeEnabled"): {"push", "untag", "delete a manifest", "delete the repository"},
    # It may be pointed elsewhere and not be taken away.
    ("tag", "deleteEnabled"): {"untag", "delete a manifest", "delete the repository"},
    ("tag", "readEnabled"): {"pull"},
    ("tag", "listEnabled"): {"list"},
}
NAMES = {
    "DeleteEnabled": "deleteEnabled",
    "WriteEnabled": "writeEnabled",
    "ReadEnabled": "readEnabled",
    "ListEnabled": "listEnabled",
}


def is_forbidden(attributes: Attributes, target: Target, use: Use) -> bool:
    try:
        attributes.check(target, use, "v1")
    except DisallowedOperation:
        return True
    return False


@pytest.mark.parametrize(("target", "column"), [*product(Target, COLUMNS)])
@pytest.mark.parametrize("use", Use)
def test_each_attribute_forbids_what_it_means_and_nothing_else(
    target: Target, column: str, use: Use
) -> None:
    expected = use.value in EXPECTED[target.value, NAMES[column]]
    assert is_forbidden(Attributes.from_row({column: False}), target, use) is expected


def test_the_policy_is_about_every_target_and_attribute() -> None:
    assert FORBIDS.keys() == set(product(Target, COLUMNS))
    assert len(EXPECTED) == len(FORBIDS)
    words = {word for forbidden in EXPECTED.values() for word in forbidden}
    assert words == {use.value for use in Use}


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("locked", [*product([True, False], repeat=len(COLUMNS))])
def test_several_attributes_forbid_together_what_each_forbids_alone(
    target: Target, locked: tuple[bool, ...]
) -> None:
    columns = {
        column: False for column, is_locked in zip(COLUMNS, locked, strict=True) if is_locked
    }
    each = [EXPECTED[target.value, NAMES[column]] for column in columns]
    attributes = Attributes.from_row(columns)
    forbidden = {use.value for use in Use if is_forbidden(attributes, target, use)}
    assert forbidden == set[str]().union(*each)


@pytest.mark.parametrize("row", [None, {}, {"Digest": "x"}, dict.fromkeys(COLUMNS, True)])
def test_without_a_lock_everything_is_allowed(row: dict[str, object] | None) -> None:
    attributes = Attributes.from_row(row)
    assert attributes == Attributes()
    assert attributes.columns == {}
    assert not any(is_forbidden(attributes, *each) for each in product(Target, Use))


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
    assert attributes.columns == {locked: False}


def test_a_refusal_names_the_lock() -> None:
    with pytest.raises(DisallowedOperation) as refused:
        Attributes(write_enabled=False).check(Target.TAG, Use.PUSH, "v1")
    assert refused.value.text == "tag v1 is locked: writeEnabled is false"
    assert refused.value.detail == {"target": "tag", "name": "v1", "attribute": "writeEnabled"}
