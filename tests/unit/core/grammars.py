"""What is right by a grammar, and near misses: what was right before somebody's finger slipped."""

from __future__ import annotations

from hypothesis import strategies as st

# distribution-spec 1.1, "Pulling manifests", letter by letter.
NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
# image-spec 1.1, descriptor.md, "Digests" and "Registered Algorithms".
DIGEST = r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"

_words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=3)
_levels = st.builds(
    lambda first, more: first + "".join(separator + word for separator, word in more),
    _words,
    st.lists(st.tuples(st.sampled_from((".", "_", "__", "-", "--", "---")), _words), max_size=3),
)
names = st.lists(_levels, min_size=1, max_size=3).map("/".join)
"""By `NAME`, but faster than from the expression itself."""
tags = st.from_regex(TAG, fullmatch=True)
digests = st.from_regex(DIGEST, fullmatch=True)
anything = st.text(st.characters(exclude_categories=()), max_size=300)

_ODD = (
    "\x00\n\r\t /\\%.:_-=+,;@#?&<>\"'[]{}09afgAZ~\x7f\x85\u0131\u0130\u212a\u0663\u00b2\uff10\ud800"
)
"""What grammars forget: separators, quotes, controls, and digits and letters beyond ASCII."""


@st.composite
def mutated(draw: st.DrawFn, whole: st.SearchStrategy[str], most: int = 2) -> str:
    """One of `whole` after some edits, of which the last may undo the first."""
    text = draw(whole)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(text)))
        kind = draw(st.sampled_from(("insert", "delete", "replace", "repeat", "swap", "case")))
        rest = text[at:]
        odd = draw(st.sampled_from(_ODD) | st.characters(exclude_categories=()))
        text = (
            text[:at]
            + {
                "insert": odd + rest,
                "delete": rest[1:],
                "replace": odd + rest[1:],
                "repeat": rest[:1] + rest,
                "swap": rest[1:2] + rest[:1] + rest[2:],
                "case": rest[:1].swapcase() + rest[1:],
            }[kind]
        )
    return text


@st.composite
def mutated_bytes(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """One of `whole` after a few edits of single bytes or of a stretch."""
    content = draw(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = min(start + draw(st.sampled_from((0, 1, 1, 1, 7))), len(content))
        content = content[:start] + draw(st.binary(max_size=3)) + content[end:]
    return content
