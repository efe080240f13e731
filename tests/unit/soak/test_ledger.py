"""What is owed after what was acknowledged, and what is not owed after what failed."""

from __future__ import annotations

from tests.soak.ledger import Ledger

ONE, TWO = "sha256:1", "sha256:2"


def test_what_was_acknowledged_is_owed_until_it_is_deleted() -> None:
    ledger = Ledger("team/app")
    ledger.pushed("v1", ONE)
    assert list(ledger.breaches({ONE}, {"v1": ONE})) == []
    assert len(list(ledger.breaches({}, {}))) == 2
    ledger.removed(ONE)
    assert list(ledger.breaches({}, {})) == []
    assert list(ledger.breaches({ONE}, {})) == ["team/app: sha256:1 was deleted and is there"]
    assert len(list(ledger.breaches({}, {"v1": ONE}))) == 1


def test_a_tag_that_moved_leaves_its_manifest() -> None:
    ledger = Ledger("team/app")
    ledger.pushed("v1", ONE)
    ledger.pushed("v1", TWO)
    assert list(ledger.breaches({ONE, TWO}, {"v1": TWO})) == []
    (breach,) = ledger.breaches({ONE, TWO}, {"v1": ONE})
    assert breach == "team/app: tag v1 names sha256:1, and should name sha256:2"
    (breach,) = ledger.breaches({TWO}, {"v1": TWO})
    assert breach == "team/app: sha256:1 was acknowledged and is not there"


def test_the_deletion_of_a_manifest_takes_the_tags_that_name_it_and_no_other() -> None:
    ledger = Ledger("team/app")
    ledger.pushed("v1", ONE)
    ledger.pushed("v2", ONE)
    ledger.pushed("v2", TWO)
    ledger.removed(ONE)
    assert list(ledger.breaches({TWO}, {"v2": TWO})) == []
    assert len(list(ledger.breaches({TWO}, {}))) == 1


def test_what_was_deleted_and_pushed_again_is_owed() -> None:
    ledger = Ledger("team/app")
    ledger.pushed("v1", ONE)
    ledger.removed(ONE)
    ledger.pushed("v1", ONE)
    assert list(ledger.breaches({ONE}, {"v1": ONE})) == []
    assert len(list(ledger.breaches({}, {}))) == 2


def test_after_a_push_that_failed_the_tag_may_name_anything() -> None:
    ledger = Ledger("team/app")
    ledger.pushed("v1", ONE)
    ledger.pushed("v2", TWO)
    ledger.removed(TWO)
    ledger.push_failed("v1")
    for tags in ({}, {"v1": ONE}, {"v1": TWO}):
        assert list(ledger.breaches({ONE, TWO}, tags)) == []
    # What the tag named before is owed still.
    assert len(list(ledger.breaches({TWO}, {}))) == 1


def test_after_a_deletion_that_failed_the_manifest_may_be_there_or_not() -> None:
    ledger = Ledger("team/app")
    ledger.pushed("v1", ONE)
    ledger.removal_failed(ONE)
    assert list(ledger.breaches({}, {})) == []
    assert list(ledger.breaches({ONE}, {"v1": ONE})) == []


def test_where_retention_takes_what_has_no_tag_only_what_a_tag_names_is_owed() -> None:
    ledger = Ledger("team/app", keeps_untagged=False)
    ledger.pushed("v1", ONE)
    assert len(list(ledger.breaches({}, {"v1": ONE}))) == 1
    ledger.pushed("v1", TWO)
    assert ledger.owed() == {TWO}
    assert list(ledger.breaches({TWO}, {"v1": TWO})) == []
    ledger.push_failed("v1")
    assert ledger.owed() == set()
