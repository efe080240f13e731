import dataclasses
import re
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.blobs import hashing
from registry_core.blobs.upload_state import StateSealer, UploadState
from registry_core.errors import BlobUploadUnknown
from registry_core.model.names import RepositoryName

KEYS = {1: b"k" * 32}
REPOSITORY = RepositoryName("team/app")
EXPIRY = timedelta(days=7)
NOW = 1_700_000_000.5
UPLOAD = uuid.UUID("0f0e0d0c-0b0a-4900-8807-060504030201")
ETAG = '"0x8DEADBEEFCAFE42"'


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def sealer(keys: dict[int, bytes] | None = None, now: Clock | None = None) -> StateSealer:
    return StateSealer(keys or KEYS, EXPIRY, now or Clock())


def state(**changes: object) -> UploadState:
    made = UploadState(UPLOAD, date(2026, 2, 28), b"n" * 16, int(NOW) + 604_800, 12, ETAG)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def saved(name: str, content: bytes) -> bytes:
    running = hashing.start(name)
    running.update(content)
    return running.save()


def decoded(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


def encoded(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def opened(token: str, upload: str = str(UPLOAD), repository: str = REPOSITORY.text) -> UploadState:
    return sealer().open(token, upload, RepositoryName(repository))


def refused(token: str, upload: str = str(UPLOAD), repository: str = REPOSITORY.text) -> bool:
    with pytest.raises(BlobUploadUnknown):
        opened(token, upload, repository)
    return True


TOKEN = sealer().seal(state(hashes=(saved("sha256", b"x" * 12),)), REPOSITORY)

states = st.builds(
    state,
    upload_id=st.uuids(),
    day=st.dates(),
    nonce=st.binary(min_size=16, max_size=16),
    offset=st.integers(0, 2**63),
    etag=st.text('0123456789ABCDEFx"W/', max_size=60),
    hashes=st.lists(st.binary(max_size=200), max_size=2).map(tuple),
)


@given(states)
def test_what_is_sealed_is_opened_unchanged(before: UploadState) -> None:
    token = sealer().seal(before, REPOSITORY)
    assert opened(token, str(before.upload_id)) == before


@given(states)
def test_a_token_needs_no_escaping_in_a_url(before: UploadState) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", sealer().seal(before, REPOSITORY))


def test_the_longest_token_is_short() -> None:
    content = b"x" * 127
    hashes = (saved("sha256", content), saved("sha512", content))
    token = sealer().seal(state(hashes=hashes, offset=2**62, etag="e" * 64), REPOSITORY)
    assert len(token) < 700
    assert opened(token).hashes == hashes


def test_a_token_shows_nothing_of_what_was_uploaded_nor_of_the_object() -> None:
    content = b"this secret is in the layer"
    before = state(hashes=(saved("sha256", content), saved("sha512", content)))
    sealed = decoded(sealer().seal(before, REPOSITORY))
    words = [saved_hash[9:17] for saved_hash in before.hashes]
    for part in (content[:8], content[-8:], ETAG.encode(), before.nonce, UPLOAD.bytes, *words):
        assert part not in sealed


def test_the_same_state_is_sealed_differently_each_time() -> None:
    tokens = {decoded(sealer().seal(state(), REPOSITORY))[2:14] for _ in range(100)}
    assert len(tokens) == 100


@pytest.mark.parametrize("repository", ["team/app2", "team", "app", "team/ap", "other"])
def test_a_state_is_good_for_its_repository_only(repository: str) -> None:
    assert opened(TOKEN).offset == 12
    assert refused(TOKEN, repository=repository)


@pytest.mark.parametrize(
    "upload", ["", "x", str(uuid.UUID(int=1)), UPLOAD.hex, f"{{{UPLOAD}}}", f"{UPLOAD} "]
)
def test_a_state_is_good_for_its_session_only(upload: str) -> None:
    assert refused(TOKEN, upload=upload)


def test_a_sessions_id_may_be_written_in_capitals() -> None:
    assert opened(TOKEN, str(UPLOAD).upper()).upload_id == UPLOAD


def test_no_bit_of_a_token_can_be_altered() -> None:
    for bit in range(len(decoded(TOKEN)) * 8):
        sealed = bytearray(decoded(TOKEN))
        sealed[bit // 8] ^= 1 << bit % 8
        assert refused(encoded(bytes(sealed)))


def test_no_beginning_of_a_token_opens() -> None:
    for length in range(len(TOKEN)):
        assert refused(TOKEN[:length])


@given(st.binary(min_size=1, max_size=40))
def test_nothing_can_be_added_to_a_token(extra: bytes) -> None:
    assert refused(encoded(decoded(TOKEN) + extra))
    assert refused(encoded(extra + decoded(TOKEN)))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "=",
        "A",
        "AQ",
        "é",
        "\ud800",
        "\x00",
        "no base64 at all!",
        "A" * 2048,
        "A" * 2049,
        # Different in every run, as the names of tests must not be.
        pytest.param(TOKEN * 9, id="tokens one after the other"),
    ],
    ids=ascii,
)
def test_what_is_not_a_token_is_an_unknown_upload(token: str) -> None:
    assert refused(token)


def test_a_token_longer_than_any_of_ours_is_not_even_decrypted() -> None:
    assert refused(sealer().seal(state(hashes=(b"h" * 2000,)), REPOSITORY))


@given(st.text(max_size=200))
def test_arbitrary_text_is_an_unknown_upload(token: str) -> None:
    assert refused(token)


def test_a_token_of_another_registry_is_refused() -> None:
    foreign = sealer({1: b"f" * 32}).seal(state(), REPOSITORY)
    assert refused(foreign)


def test_a_new_key_seals_while_the_old_one_still_opens() -> None:
    both = sealer({1: KEYS[1], 2: b"2" * 32})
    assert both.open(TOKEN, str(UPLOAD), REPOSITORY).offset == 12
    newer = both.seal(state(), REPOSITORY)
    assert decoded(newer)[1] == 2
    assert refused(newer)


def test_a_state_expires_when_it_was_not_used_for_the_whole_time() -> None:
    clock = Clock()
    ours = sealer(now=clock)
    token = ours.seal(state(expires=0), REPOSITORY)
    clock.now = NOW + EXPIRY.total_seconds() - 2
    assert ours.open(token, str(UPLOAD), REPOSITORY).expires == int(NOW) + 604_800
    clock.now = NOW + EXPIRY.total_seconds() + 1
    with pytest.raises(BlobUploadUnknown):
        ours.open(token, str(UPLOAD), REPOSITORY)


def test_using_a_state_prolongs_it() -> None:
    clock = Clock()
    ours = sealer(now=clock)
    token = ours.seal(state(), REPOSITORY)
    for _ in range(3):
        clock.now += EXPIRY.total_seconds() - 10
        token = ours.seal(ours.open(token, str(UPLOAD), REPOSITORY), REPOSITORY)
    assert ours.open(token, str(UPLOAD), REPOSITORY).offset == 12


def test_an_upload_begins_empty_under_a_name_of_its_own() -> None:
    ours = sealer()
    uploads = [ours.begin((b"h",)) for _ in range(50)]
    assert len({upload.upload_id for upload in uploads}) == 50
    assert len({upload.nonce for upload in uploads}) == 50
    first = uploads[0]
    assert (first.offset, first.etag, first.hashes) == (0, "", (b"h",))
    # 1,700,000,000 seconds after 1970 it was the 14th of November 2023 in UTC.
    assert first.object_name == f"uploads/2023-11-14/{first.upload_id}"
    assert first.expires == int(NOW) + 604_800


def test_going_on_keeps_the_upload_and_its_name() -> None:
    first = sealer().begin((b"h",))
    further = first.at(8, ETAG, (b"i",))
    assert (further.offset, further.etag, further.hashes) == (8, ETAG, (b"i",))
    assert (further.object_name, further.nonce) == (first.object_name, first.nonce)


@pytest.mark.parametrize("position", range(-4, 0))
def test_no_other_spelling_of_a_token_is_taken(position: int) -> None:
    """The last character's spare bits, a stray character and padding all decode to the same."""
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_!=":
        token = TOKEN[:position] + character + (TOKEN[position + 1 :] if position < -1 else "")
        if token != TOKEN:
            with pytest.raises(BlobUploadUnknown):
                opened(token)
