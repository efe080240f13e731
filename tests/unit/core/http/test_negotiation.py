import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from registry_core.errors import ManifestUnknown
from registry_core.http.negotiation import check_accepted
from registry_core.model.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)


def asked(*values: str) -> Request:
    headers = [(b"accept", value.encode("latin-1")) for value in values]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("accepted", TYPES)
def test_a_client_of_one_type_alone_is_sent_that_type_alone(media_type: str, accepted: str) -> None:
    if media_type == accepted:
        check_accepted(asked(accepted), media_type)
    else:
        with pytest.raises(ManifestUnknown, match=media_type.replace("+", r"\+")):
            check_accepted(asked(accepted), media_type)


@given(st.permutations(TYPES), st.integers(0, 4))
def test_order_and_number_of_headers_do_not_matter(types: list[str], first: int) -> None:
    request = asked(*(", ".join(part) for part in (types[:first], types[first:]) if part))
    for media_type in TYPES:
        check_accepted(request, media_type)


@pytest.mark.parametrize("quality", ["q=0", "q=0.0", "q=0.000", "Q=0", " q = 0 "])
def test_a_quality_of_nothing_excludes(quality: str) -> None:
    with pytest.raises(ManifestUnknown):
        check_accepted(asked(f"{OCI_MANIFEST};{quality}, */*"), OCI_MANIFEST)
    check_accepted(asked(f"{OCI_MANIFEST};{quality}, */*"), OCI_INDEX)


@pytest.mark.parametrize("quality", ["q=0.001", "q=1", "q=", "q", "level=0", "q=0x", "q=.", ""])
def test_any_other_parameter_does_not(quality: str) -> None:
    check_accepted(asked(f"{OCI_MANIFEST};{quality}"), OCI_MANIFEST)


@given(st.lists(header_text, max_size=3), st.sampled_from(TYPES))
def test_an_arbitrary_header_is_heeded_or_disregarded(values: list[str], media_type: str) -> None:
    with contextlib.suppress(ManifestUnknown):
        check_accepted(asked(*values), media_type)


@given(st.lists(header_text, max_size=3), st.sampled_from(TYPES))
def test_a_wildcard_alone_accepts_whatever_else_is_accepted(
    values: list[str], media_type: str
) -> None:
    if not any(";" in value for value in values):
        check_accepted(asked(*values, "*/*"), media_type)
