"""Hypothesis strategies for the values that keys and columns are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_KEY_BYTES = 1024
"""Azure Tables: a key is at most 1 KiB, and storage keeps it as UTF-16."""

_words = st.text("ab09", min_size=1, max_size=3)
repository_names = st.lists(
    st.lists(_words, min_size=1, max_size=3).flatmap(
        lambda words: st.sampled_from([".", "_", "__", "-", "--"]).map(lambda s: s.join(words))
    ),
    min_size=1,
    max_size=3,
).map(lambda levels: RepositoryName.parse("/".join(levels)))
tags = st.from_regex(r"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z").map(Tag.parse)
digests = st.builds(Digest.of, st.binary(max_size=8), st.sampled_from(["sha256", "sha512"]))
times = st.integers(0, 2**53).map(lambda n: EPOCH + timedelta(microseconds=n))


def storage_refuses(key: str) -> bool:
    """Whether it cannot be a key, or is one that we do not want to spell in a URL."""
    is_plain = all(0x20 < ord(character) < 0x7F for character in key)
    is_short = len(key.encode("utf-16-le")) <= MAX_KEY_BYTES
    return not is_plain or not is_short or bool(set(key) & set("/\\#?%"))
