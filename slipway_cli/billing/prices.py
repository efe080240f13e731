"""The list of prices: each with its unit, source, and how sure it is. `prices.json` beside this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("prices.json")


class PricesError(Exception):
    """The list cannot be read, or lacks a price; the text names it."""


@dataclass(frozen=True)
class Prices:
    """Prices by name, in one currency, of one day."""

    date: str
    currency: str
    region: str
    by_name: Mapping[str, float]

    @classmethod
    def read(cls, path: Path = FILE) -> Prices:
        """The list in a file. Raises `PricesError`."""
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise PricesError(f"{path}: it cannot be read as JSON ({error})") from error
        try:
            prices = {name: float(entry["price"]) for name, entry in document["prices"].items()}
            return cls(document["date"], document["currency"], document["region"], prices)
        except KeyError as error:
            raise PricesError(f"{path}: {error} is missing; {FILE} shows what is needed") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise PricesError(
                f"{path}: it is not a list of prices ({error}); {FILE} is one"
            ) from error

    def __getitem__(self, name: str) -> float:
        """One price. Raises `PricesError`."""
        if name not in self.by_name:
            raise PricesError(f"the list of prices has no {name}")
        return self.by_name[name]
