"""Sealed upload states and keys of rows, whatever is done to them."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core.blobs import rows as blob_rows
from registry_core.blobs.upload_state import StateSealer, UploadState
from registry_core.errors import BlobUploadUnknown
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import keys
from registry_core.storage.objects import Location
from tests.unit.core.grammars import mutated, names

MANY = settings(max_examples=300)
SEALER = StateSealer({1: b"k" * 32, 7: b"s" * 32}, timedelta(days=7), lambda: 1_700_000_000.0)
NAME = RepositoryName("team/app")
ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


def sealed(upload: uuid.UUID) -> str:
    state = UploadState(
        upload, date(2026, 1, 2), b"n" * 16, 1_700_600_000, 12, '"0x1"', (b"h" * 90,)
    )
    return SEALER.seal(state, NAME)


TOKENS = {upload: sealed(upload) for upload in (ONE, OTHER)}


def check_refused(token: str, upload: str = str(ONE)) -> None:
    with pytest.raises(BlobUploadUnknown):
        SEALER.open(token, upload, NAME)


def test_the_tokens_are_good_as_they_are() -> None:
    for upload, token in TOKENS.items():
        assert SEALER.open(token, str(upload), NAME).upload_id == upload


@MANY
@given(mutated(st.just(TOKENS[ONE]), 4).filter(lambda token: token not in TOKENS.values()))
def test_a_token_with_a_slip_in_it_is_refused(token: str) -> None:
    check_refused(token)


@given(st.integers(0, 400), st.integers(0, 400), st.booleans())
def test_no_two_tokens_make_a_third(first: int, second: int, is_own: bool) -> None:
    one, other = TOKENS[ONE], TOKENS[ONE if is_own else OTHER]
    spliced = one[:first] + other[second:]
    if spliced not in TOKENS.values():
        check_refused(spliced)
    check_refused(TOKENS[OTHER])


@given(mutated(st.just(str(ONE)), 1).filter(lambda text: text.lower() != str(ONE)))
def test_a_token_is_refused_for_a_session_of_nearly_the_same_name(upload: str) -> None:
    check_refused(TOKENS[ONE], upload)


@MANY
@given(names, names)
def test_every_name_of_the_spec_comes_back_from_its_key_and_keeps_its_place(
    one: str, other: str
) -> None:
    assert keys.decode(keys.encode(one)) == one
    assert (keys.encode(one) < keys.encode(other)) is (one < other)
    assert (keys.encode(one) == keys.encode(other)) is (one == other)


@given(names, names, st.uuids(), st.binary(max_size=4))
def test_no_key_with_a_name_or_a_place_in_it_holds_what_tables_refuse(
    one: str, other: str, upload: uuid.UUID, content: bytes
) -> None:
    name, digest = RepositoryName.parse(one), Digest.of(content, "sha512")
    location = Location(
        "account", blob_rows.CONTAINER, blob_rows.upload_object(date(2026, 1, 2), upload)
    )
    for key in (
        blob_rows.requirement(name, digest),
        blob_rows.link(name),
        blob_rows.doomed(location),
    ):
        assert not set(key) & set("/\\#?")
        assert all("\x20" <= character < "\x7f" for character in key)
    begin = blob_rows.requirements(name)
    foreign = blob_rows.requirement(RepositoryName.parse(other), digest)
    assert (begin <= foreign < keys.end_of(begin)) is (one == other)
