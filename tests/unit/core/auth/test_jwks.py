"""Key sets as they should be, and as anything else."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from registry_core.auth.jwks import public_keys

GOOD: dict[str, Any] = {
    **ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True),
    "kid": "good",
}
RSA: dict[str, Any] = {
    **RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True),
    "kid": "rsa",
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
spoiled = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*GOOD, "use", "alg", "key_ops", "x5c"), anything)
)


def test_keys_of_another_kind_or_use_are_passed_over() -> None:
    longer = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
    others = [
        {**GOOD, "kid": "enc", "use": "enc"},
        {**GOOD, "kid": "other", "alg": "ES384"},
        {**longer, "kid": "p384"},
        {**GOOD, "kid": "private", "d": GOOD["x"]},
        RSA,
    ]
    assert public_keys({"keys": [*others, GOOD]}, "ES256").keys() == {"good"}
    assert public_keys({"keys": [*others, GOOD]}, "RS256").keys() == {"rsa"}


@given(st.lists(anything | spoiled.map(lambda changes: {**GOOD, "kid": "bad", **changes})))
def test_whatever_stands_beside_it_a_good_key_is_found(entries: list[Any]) -> None:
    assert "good" in public_keys({"keys": [*entries, GOOD]}, "ES256")


@given(anything)
def test_a_document_without_keys_is_refused(keys: Any) -> None:
    with pytest.raises(ValueError, match="no keys"):
        public_keys({"keys": keys}, "ES256")
    with pytest.raises(ValueError, match="no keys"):
        public_keys(json.loads("{}"), "ES256")


def test_numbers_that_no_key_has_are_not_looked_at() -> None:
    """Of a modulus with as many digits it takes minutes of a processor to see that it is none."""
    endless = [{**RSA, "kid": name, name: "A" * 100_000} for name in ("n", "e")]
    began = time.thread_time()
    assert public_keys({"keys": [*endless, RSA]}, "RS256").keys() == {"rsa"}
    assert time.thread_time() - began < 1
