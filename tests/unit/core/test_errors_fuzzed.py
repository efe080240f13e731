"""The bodies of errors, whatever they have to tell of."""

from __future__ import annotations

import inspect
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core import errors
from registry_core.errors import RegistryError

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, RegistryError)
]
any_text = st.text(st.characters(exclude_categories=()), max_size=30)
details = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=5 * settings().max_examples)
@given(st.sampled_from(CLASSES), st.none() | any_text, details)
def test_a_body_has_the_form_of_the_distribution_spec(
    kind: type[RegistryError], message: str | None, detail: object
) -> None:
    error = kind(message, detail=detail)
    body = json.loads(error.body().decode("ascii"))
    assert list(body) == ["errors"]
    (said,) = body["errors"]
    assert set(said) <= {"code", "message", "detail"}
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", said["code"])
    assert said["message"] == (message or kind.message)
    assert said.get("detail") == detail
    assert 400 <= error.status < 600
    assert all(value.isprintable() for value in error.headers.values())
