"""Queries and links, read by somebody else's rules."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, unquote_plus, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core.errors import PaginationNumberInvalid, RequestInvalid
from registry_core.http import pagination
from registry_core.http.query import Query
from tests.unit.core.grammars import mutated

MANY = settings(max_examples=200)
raw = st.text(st.characters(max_codepoint=255), max_size=60)
"""As `latin-1` makes it of what came."""
pairs = st.lists(st.tuples(st.sampled_from(("n", "last", "tag", "x")), raw), max_size=5)
queries = pairs.map(lambda found: "&".join(f"{name}={value}" for name, value in found))


@MANY
@given(queries | mutated(queries).filter(lambda text: all(ord(c) < 256 for c in text)) | raw)
def test_a_query_is_read_as_it_or_a_form_is_and_never_fails(text: str) -> None:
    query = Query(text)
    fields = [field.partition("=") for field in text.split("&") if field]
    for read, plain in ((query, unquote), (Query.of_form(text), unquote_plus)):
        for name in ("n", "last", "tag", "x"):
            wanted = [plain(value) for key, _, value in fields if plain(key) == name]
            assert read.all(name) == wanted
            assert read.get(name) == (wanted[0] if wanted else None)
    assert len(pagination.cursor(query)) <= 1024
    number = query.get("n")
    if number is None or re.fullmatch("[0-9]+", number):
        wanted_size = pagination.MAX_ENTRIES if number is None else int(number)
        assert pagination.page_size(query) == min(wanted_size, pagination.MAX_ENTRIES)
        return
    with pytest.raises(PaginationNumberInvalid) as raised:
        pagination.page_size(query)
    assert len(raised.value.body()) < 1000


@given(st.integers(1990, 2010), st.sampled_from(("tag=a", "", "=", "n=1")))
def test_a_query_is_refused_for_its_length_only(count: int, field: str) -> None:
    try:
        query = Query("&".join([field] * count))
    except RequestInvalid:
        assert count > 2000
    else:
        assert count <= 2000
        assert len(query.all("tag")) == (count if field == "tag=a" else 0)


def links_of(header: str) -> dict[str, str]:
    """RFC 8288, 3: targets by relation, of a header with one link and quoted parameters."""
    match = re.fullmatch(r"\s*<([^>]*)>((?:\s*;\s*[!#-+.0-9A-Z^-z|~-]+=\"[^\"\\]*\")*)\s*", header)
    assert match
    # RFC 3986: the target is a reference of nothing but the characters that one may have.
    assert re.fullmatch(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-F]{2})*", match[1])
    parameters = dict(re.findall(r"([a-z]+)=\"([^\"]*)\"", match[2]))
    return dict.fromkeys(parameters["rel"].split(), match[1])


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
paths = st.sampled_from(
    ("/v2/_catalog", "/v2/a/b-c/tags/list", f"/v2/a/referrers/sha256:{'0' * 64}")
)


@MANY
@given(paths, texts.filter(bool), st.integers(0, 10**6), texts)
def test_a_link_leads_to_what_it_was_made_of(
    path: str, last: str, count: int, artifact_type: str
) -> None:
    fields = {"last": last, "n": str(count), "artifactType": artifact_type}
    header = pagination.next_link(path, last, n=str(count), artifactType=artifact_type)["Link"]
    target = urljoin(f"https://registry.example{path}?n=1", links_of(header)["next"])
    parts = urlsplit(target)
    assert (parts.netloc, parts.path, parts.fragment) == ("registry.example", path, "")
    assert dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) == fields
    query = Query(parts.query)
    assert {name: query.get(name) for name in fields} == fields
    assert pagination.cursor(query) == last
    assert pagination.page_size(query) == min(count, pagination.MAX_ENTRIES)
