r"""How text is spelt in keys of rows, and the bounds of ranges of them.

Azure Tables refuses ``/ \ # ?`` and control characters in keys. `encode` shifts ``- . /`` down by
one to ``, - .``: that frees the slash and keeps the order of plain names, so that a table's own
order is the lexical order which the distribution-spec asks of listings.
"""

from __future__ import annotations

AFTER_ALL = "\x7e"
"""Greater than every character of a name."""

_ENCODE = str.maketrans("-./", ",-.")
_DECODE = str.maketrans(",-.", "-./")


def encode(text: str) -> str:
    """`text` as part of a key."""
    return text.translate(_ENCODE)


def decode(key: str) -> str:
    """The text that `encode` made `key` of."""
    return key.translate(_DECODE)


def end_of(prefix: str) -> str:
    """The least key that comes after every key beginning with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def following(last: str, alphabet: str) -> str:
    """The least text that comes after `last`, for a list of names made of `alphabet`.

    What a client sends as `last` may be no name at all. Only characters of the alphabet get into
    the answer, and every name that is greater than `last`, and no other, is at or after it.
    """
    for index, character in enumerate(last):
        if character not in alphabet:
            greater = (each for each in alphabet if each > character)
            return last[:index] + min(greater, default=AFTER_ALL)
    # No key can hold a character below the space.
    return f"{last}\x20" if last else ""
