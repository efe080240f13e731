"""Text of others, made harmless: nothing in it moves a cursor, colours a line or rings a bell."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # Titles and links.
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # Colours and the cursor.
    r"|\x1b[ -/]*[0-~]?"
)


def clean(text: str) -> str:
    """Without escape sequences, each other character that is not printable as a space."""
    plain = _ESCAPES.sub("", text)
    return "".join(each if each.isprintable() else " " for each in plain)
