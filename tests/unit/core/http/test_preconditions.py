import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from registry_core.http.preconditions import entity_tag, not_modified
from registry_core.model.digest import Digest

DIGEST = Digest.of(b"content")
TAG = entity_tag(DIGEST)
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)


def asked(*values: str) -> Request:
    headers = [(b"if-none-match", value.encode("latin-1")) for value in values]
    return Request({"type": "http", "headers": headers})


def test_without_the_header_everything_is_sent() -> None:
    assert not not_modified(asked(), DIGEST)


@pytest.mark.parametrize(
    "values",
    [
        (TAG,),
        (f"W/{TAG}",),
        ("*",),
        (" * ",),
        (f'"a", {TAG}',),
        (f'"a,b",W/"c" ,{TAG},"d"',),
        ('"a"', TAG),
        (f'"",{TAG}',),
    ],
)
def test_content_that_is_listed_is_not_sent_again(values: tuple[str, ...]) -> None:
    """RFC 9110, 13.1.2: a list of entity tags, compared weakly, or an asterisk."""
    assert not_modified(asked(*values), DIGEST)


@pytest.mark.parametrize("value", ["", '"', str(DIGEST), '"*"', f'"x{DIGEST}"', f"{TAG[:-1]}", "x"])
def test_content_that_is_not_listed_is_sent(value: str) -> None:
    assert not not_modified(asked(value), DIGEST)


@given(st.lists(header_text, max_size=3))
def test_no_header_stands_for_a_digest_that_it_does_not_spell(values: list[str]) -> None:
    if not_modified(asked(*values), DIGEST):
        assert ",".join(values).strip() == "*" or any(TAG in value for value in values)
