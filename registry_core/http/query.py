"""The parameters of a query or a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

from registry_core.errors import RequestInvalid

_MAX_FIELDS = 2000
_REMEMBERED = 512
"""Up to so many characters of a query are remembered with what it says."""


class Query:
    """The query's parameters, from the raw query: hosts fold repeated ones.

    A `+` is itself (RFC 3986, 3.4), as media types have it. Only in what a form makes is it a
    space, see `of_form`. Raises `RequestInvalid`.
    """

    @classmethod
    def of_form(cls, raw: str) -> Query:
        """The fields of a form, or of a query that OAuth's clients write like one (RFC 6749, B)."""
        return cls(raw.replace("+", "%20"))

    def __init__(self, raw: str) -> None:
        self._pairs: list[tuple[str, str]] = []
        if not raw:
            return
        raw = raw.replace("+", "%2B")
        try:
            self._pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise RequestInvalid("the query has too many parameters") from error

    def get(self, name: str) -> str | None:
        """The first value of a parameter; None if it is not there."""
        return next((value for key, value in self._pairs if key == name), None)

    def all(self, name: str) -> Sequence[str]:
        """Every value of a parameter, in order."""
        return [value for key, value in self._pairs if key == name]


Reading = Callable[[str], Query]
"""How a query is read: `Query`, or `Query.of_form`."""


def read(reading: Reading, raw: str) -> Query:
    """A query, of an address and not of a body: what those hold is not to be kept in memory."""
    return _known(reading, raw) if len(raw) <= _REMEMBERED else reading(raw)


@lru_cache(maxsize=256)  # A client asks for the same again and again.
def _known(reading: Reading, raw: str) -> Query:
    return reading(raw)
