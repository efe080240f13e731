"""Credentials that are nearly right."""

from __future__ import annotations

from base64 import b64decode, b64encode

from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core.settings import AdminSettings
from tests.unit.core.auth.test_basic import authenticate
from tests.unit.core.grammars import mutated

MANY = settings(max_examples=200)
PASSWORD = "first-password-QX"
ADMIN = AdminSettings("admin", (PASSWORD, "second:pässword:RW"))
RIGHT = {f"{ADMIN.username}:{password}" for password in ADMIN.passwords}
plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def header(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


@MANY
@given(mutated(st.sampled_from(sorted(RIGHT))).filter(lambda text: "\ud800" not in text))
def test_who_is_nearly_the_administrator_is_nobody(credentials: str) -> None:
    try:
        sent = header(credentials)
    except UnicodeEncodeError:
        return
    assert (authenticate(sent, ADMIN) is not None) is (credentials in RIGHT)


@MANY
@given(mutated(st.sampled_from([header(text) for text in sorted(RIGHT)]), 1))
def test_a_header_with_a_slip_in_it_signs_nobody_in_as_somebody_else(sent: str) -> None:
    found = authenticate(sent, ADMIN)
    assert found in (None, *ADMIN.passwords)
    if found:  # The slip was in the scheme's case, in spaces, or in bits of base64 without meaning.
        scheme, _, encoded = sent.partition(" ")
        assert scheme.lower() == "basic"
        assert b64decode(encoded.strip()).decode() in RIGHT


@MANY
@given(plain.filter(lambda text: ":" not in text), plain, plain)
def test_whoever_the_administrator_is_only_the_right_name_and_password_will_do(
    username: str, password: str, other: str
) -> None:
    admin = AdminSettings(username, (password,))
    assert authenticate(header(f"{username}:{password}"), admin) == password
    if other != password:
        assert authenticate(header(f"{username}:{other}"), admin) is None
    if other != username and ":" not in other:
        assert authenticate(header(f"{other}:{password}"), admin) is None
