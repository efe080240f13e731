"""docs/cost.md says what a client can cost in an hour, as the limits and the prices have it."""

from __future__ import annotations

import re
from pathlib import Path

from registry_core.model.requests import RequestKind
from registry_core.settings import RateLimits
from slipway_cli.billing import log_volume
from slipway_cli.billing.prices import Prices
from slipway_cli.billing.workload import Workload
from tests.worst_hour import DEAREST

ROOT = Path(__file__).parents[4]
PAGE = re.sub(r"\s+", " ", (ROOT / "docs/cost.md").read_text())
PRICES = Prices.read()
INSTANCES = (1, 100)
LOG_CAP_GB = 1
"""The defaults of `maximumInstanceCount` and `logDailyCapGB` (infra/main.bicep)."""
EXECUTED = [kind for kind in RequestKind if kind is not RequestKind.REFERRERS]
"""A list of referrers counts as a read as well, so that it is none more."""


def requests(kind: RequestKind) -> int:
    """What one client may send of a kind to one instance in an hour."""
    return 60 * int(getattr(RateLimits(), kind))


def storage(kind: RequestKind) -> float:
    """What storage costs for that many of the dearest requests."""
    calls = DEAREST[kind]
    each = (
        calls.blob_write * PRICES["blob_write"]
        + calls.blob_read * PRICES["blob_read"]
        + calls.blob_other * PRICES["blob_other"]
        + calls.table * PRICES["table_operation"]
        + calls.queue * PRICES["queue_operation"]
    )
    return requests(kind) * each


def lines() -> list[tuple[str, float]]:
    """What an instance costs in that hour, without logs."""
    executions = sum(map(requests, EXECUTED))
    gb_seconds = 3600 * Workload().memory_gb
    named = {
        RequestKind.READ: "reads",
        RequestKind.REFERRERS: "lists of referrers",
        RequestKind.WRITE: "writes",
        RequestKind.DELETE: "deletions",
        RequestKind.SIGN_IN: "sign-ins",
    }
    return [
        (f"{executions:,} executions", executions * PRICES["execution"]),
        ("an instance that is never idle", gb_seconds * PRICES["execution_gb_second"]),
        *(
            (f"storage for {requests(kind):,} {name}", storage(kind))
            for kind, name in named.items()
        ),
    ]


def logs(instances: int) -> float:
    """What they cost: a day takes in no more than the cap."""
    gigabytes = instances * sum(map(requests, EXECUTED)) * log_volume.DEAREST_REQUEST_KB / 1e6
    return min(gigabytes, LOG_CAP_GB) * PRICES["log_gb"]


def table() -> str:
    rows = [
        ["in an hour, USD", *(f"{n} instance{'s' if n > 1 else ''}" for n in INSTANCES)],
        *([what, *(f"{n * cost:,.2f}" for n in INSTANCES)] for what, cost in lines()),
        ["logs, up to `logDailyCapGB`", *(f"{logs(n):,.2f}" for n in INSTANCES)],
        ["**together**", *(f"**{total(n):,.2f}**" for n in INSTANCES)],
    ]
    return "\n".join(
        [f"| {' | '.join(rows[0])} |", "|---|---|---|", *(f"| {' | '.join(r)} |" for r in rows[1:])]
    )


def total(instances: int) -> float:
    return instances * sum(cost for _, cost in lines()) + logs(instances)


def test_the_table_of_the_worst_hour_is_what_limits_and_prices_make_of_it() -> None:
    assert re.sub(r"\s+", " ", table()) in PAGE, table()


def test_the_defaults_that_it_rests_on_are_those_of_the_template() -> None:
    main = (ROOT / "infra/main.bicep").read_text()
    assert f"param maximumInstanceCount int = {INSTANCES[-1]}\n" in main
    assert f"param logDailyCapGB int = {LOG_CAP_GB}\n" in main
    assert f"param instanceMemoryMB int = {Workload().memory_gb * 1024:.0f}\n" in main


def test_what_no_limit_holds_is_said_with_its_price() -> None:
    gigabytes = 3600 / 8  # An hour at 1 Gbit/s.
    leaving = gigabytes * PRICES["egress_gb"]
    assert f"{gigabytes:.0f} GB an hour, {leaving:,.2f} USD" in PAGE, leaving
    stored = 100 * PRICES["blob_gb_month"]
    assert f"100 GB cost {stored:,.2f} USD a month" in PAGE, stored
