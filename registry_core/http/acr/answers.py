"""What the answers of `/acr/v1` have in common."""

from __future__ import annotations

from datetime import datetime

from registry_core.errors import RequestInvalid
from registry_core.http import addresses, pagination
from registry_core.http.context import Context
from registry_core.repositories.metadata import Order
from registry_core.storage import tables

DEFAULT_ENTRIES = 100
"""The size of a page for which no `n` asks, as of ACR."""
_ORDERS = {"": Order.NAME, "none": Order.NAME, "timedesc": Order.LATEST, "timeasc": Order.OLDEST}


def head(context: Context) -> dict[str, object]:
    """The fields with which every answer about a repository begins."""
    return {"registry": server(context), "imageName": str(context.repository)}


def server(context: Context) -> str:
    """The registry's name, as the client used it."""
    return addresses.login_server(context.request, context.services.settings.login_servers)


def time(value: datetime) -> str:
    """A time with seven digits after the point, as ACR writes it."""
    return tables.time_value(value).removesuffix("Z") + "0Z"


def page_size(context: Context) -> int:
    """How many entries the client wants. Raises `PaginationNumberInvalid`."""
    return pagination.page_size(context.query, DEFAULT_ENTRIES)


def order(context: Context) -> Order:
    """The order that the client wants. Raises `RequestInvalid`."""
    text = context.query.get("orderby") or ""
    found = _ORDERS.get(text.lower())
    if found is None:
        raise RequestInvalid(
            "orderby is neither timedesc nor timeasc", detail={"orderby": text[:40]}
        )
    return found


def link(context: Context, path: str, following: str, count: int, **also: str) -> dict[str, str]:
    """The `Link` header to the next page; `orderby` is there even if it is empty."""
    orderby = context.query.get("orderby") or ""
    return pagination.next_link(f"/acr/v1/{path}", following, n=str(count), orderby=orderby, **also)
