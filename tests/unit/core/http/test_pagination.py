from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import PaginationNumberInvalid
from registry_core.http import pagination
from registry_core.http.query import Query

PATH = "/v2/team/app/tags/list"


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ("", 1000),
        ("last=x", 1000),
        ("n=0", 0),
        (f"n={'0' * 20}", 0),
        (f"n={'0' * 20}7", 7),
        ("n=1", 1),
        ("n=007", 7),
        ("n=999", 999),
        ("n=1000", 1000),
        ("n=1001", 1000),
        ("n=999999", 1000),
        ("n=9999999999", 1000),
        (f"n={'9' * 10_000}", 1000),
        ("n=5&n=7", 5),
        ("N=5", 1000),
    ],
)
def test_a_page_is_as_large_as_asked_for_up_to_1000(raw: str, size: int) -> None:
    assert pagination.page_size(Query(raw)) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "%2B1",
        "abc",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        "+5",
        "5%20",
        "%D9%A3",
        "%C2%B2",
        "%00",
    ],
)
def test_what_is_no_number_of_entries_is_refused(text: str) -> None:
    with pytest.raises(PaginationNumberInvalid):
        pagination.page_size(Query(f"n={text}"))


def test_a_refused_number_is_not_echoed_at_length() -> None:
    with pytest.raises(PaginationNumberInvalid) as raised:
        pagination.page_size(Query("n=" + "x" * 100_000))
    assert len(raised.value.body()) < 300


@pytest.mark.parametrize(
    ("raw", "last"),
    [("", ""), ("last=", ""), ("last=v1", "v1"), ("last=a%2Fb", "a/b"), ("last=a&last=b", "a")],
)
def test_the_cursor_is_the_entry_before_the_page(raw: str, last: str) -> None:
    assert pagination.cursor(Query(raw)) == last


def test_an_endless_cursor_is_cut_off() -> None:
    assert len(pagination.cursor(Query("last=" + "x" * 100_000))) == 1024


def test_the_last_page_has_no_link() -> None:
    assert pagination.next_link(PATH, "", n="5") == {}


def test_a_link_is_relative_and_leads_on() -> None:
    assert pagination.next_link(PATH, "v1", n="5") == {"Link": f'<{PATH}?last=v1&n=5>; rel="next"'}


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_whatever_is_in_a_link_comes_back_from_its_query(last: str, artifact_type: str) -> None:
    link = pagination.next_link(PATH, last, artifactType=artifact_type)["Link"]
    assert link.isascii()
    target = link.removeprefix("<").removesuffix('>; rel="next"')
    assert not set(target) & set('<>" \r\n')
    parts = urlsplit(target)
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", PATH)
    fields = parse_qs(parts.query, keep_blank_values=True)
    assert fields == {"last": [last], "artifactType": [artifact_type]}
    assert pagination.cursor(Query(parts.query)) == last
