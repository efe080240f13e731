from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.auth import basic
from registry_core.settings import AdminSettings

FIRST, SECOND = "first-password-QX", "second:pässword:RW"
ADMIN = AdminSettings("admin", (FIRST, SECOND))


def authenticate(authorization: str | None, admin: AdminSettings | None) -> str | None:
    """The password that a header signs in with, if it does."""
    found = basic.credentials(authorization)
    return basic.admin_password(*found, admin) if found else None


def encoded(credentials: str | bytes) -> str:
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return b64encode(raw).decode()


def header(username: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {encoded(f'{username}:{password}')}"


@pytest.mark.parametrize("password", [FIRST, SECOND])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_either_password_signs_in(password: str, scheme: str) -> None:
    assert authenticate(header("admin", password, scheme), ADMIN) == password


def test_spaces_around_the_credentials_do_not_count() -> None:
    assert authenticate(f"Basic  {encoded(f'admin:{FIRST}')} ", ADMIN) == FIRST


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("admin", ""),
        ("admin", FIRST[:-1]),
        ("admin", FIRST + "x"),
        ("admin", FIRST + "\x00"),
        ("admin", FIRST.upper()),
        ("admin", FIRST + SECOND),
        ("admin", SECOND.partition(":")[0]),
        ("Admin", FIRST),
        ("admin ", FIRST),
        ("", FIRST),
        ("", ""),
        (FIRST, "admin"),
    ],
)
def test_anything_but_the_name_and_a_password_is_nobody(username: str, password: str) -> None:
    assert authenticate(header(username, password), ADMIN) is None


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWRtaW4",
        f"Basic {encoded('admin')}",
        f"Basic {encoded(f'admin {FIRST}')}",
        f"Basic {encoded(b'admin:' + bytes([0xFF, 0xFE]))}",
        f"Basic{encoded(f'admin:{FIRST}')}",
        f"Bearer {encoded(f'admin:{FIRST}')}",
        f"Basic {encoded(f'admin:{FIRST}')} x",
        f"Basic {encoded(f'admin:{FIRST}')}, Bearer x",
        f"Basic {encoded(f'admin:{FIRST}')}*",
        f"Basic\t{encoded(f'admin:{FIRST}')}",
        f"Basic admin:{FIRST}",
        "Basic é",
        "\x00",
    ],
)
def test_a_malformed_header_is_nobody(authorization: str | None) -> None:
    assert authenticate(authorization, ADMIN) is None


def test_an_overlong_header_is_not_even_decoded() -> None:
    admin = AdminSettings("admin", ("p" * 70_000,))
    assert authenticate(header("admin", "p" * 70_000), admin) is None


def test_credentials_without_a_colon_have_no_password_not_an_empty_one() -> None:
    admin = AdminSettings("admin", ("",))
    assert authenticate(f"Basic {encoded('admin:')}", admin) == ""
    assert authenticate(f"Basic {encoded('admin')}", admin) is None


@pytest.mark.parametrize("password", [FIRST, "", "None"])
def test_while_the_admin_account_is_off_everybody_is_nobody(password: str) -> None:
    assert authenticate(header("admin", password), None) is None


@given(st.text(max_size=100))
def test_an_arbitrary_header_is_nobody(authorization: str) -> None:
    assert authenticate(authorization, ADMIN) is None
    assert authenticate(f"Basic {authorization}", ADMIN) is None


def test_every_password_is_compared_even_after_one_was_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    def equal(one: str, other: str) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr(basic, "_equal", equal)
    for username, password in (("admin", FIRST), ("nobody", "x")):
        compared.clear()
        authenticate(header(username, password), ADMIN)
        assert compared == ["admin", FIRST, SECOND]


@given(st.text(), st.text())
def test_texts_are_equal_if_they_are_the_same(one: str, other: str) -> None:
    assert basic._equal(one, one)
    assert basic._equal(one, other) is (one == other)
