"""The bill of a month, line by line, and beside it what Azure Container Registry would cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slipway_cli.billing import log_volume, workload
from slipway_cli.billing.prices import Prices
from slipway_cli.billing.workload import Workload

DAYS = 365 / 12
LOG_ALERTS = 1
"""Rules that ask the logs, for all regions (infra/modules/monitoring.bicep)."""
THROTTLING_SERIES = 4
"""Kinds of refusal that a region's alert on its storage counts, each a time series."""
TIMER_RUNS_A_DAY = 4
"""Of `purge_deleted`, `apply_retention`, `collect_garbage` and `rotate_signing_keys`."""
TIMER_CALLS = workload.Calls(blob_write=3, blob_read=2, blob_other=2)
"""Of a run: the host's lease and status, and the keys."""
KEEP_WARM_CALLS = workload.Calls(blob_write=1, blob_other=2, table=1)
"""Of a run of `keep_warm` (function_app.py): the host's lease, and the health check."""
PROBES_A_MINUTE = 10
"""Of Traffic Manager, of each region: every 30 seconds, from about five places. An assumption."""
ENDPOINTS, ZONES = 5, 3
"""Private ones of a region, and private DNS zones for all."""
SECRET_READS_A_DAY = 4
_ACR = {"Basic": (10, False), "Standard": (100, False), "Premium": (500, True)}
"""GB included, and whether it has several regions and private endpoints."""


@dataclass(frozen=True)
class Line:
    """One meter: what it counts, how much of it, and what that costs."""

    what: str
    quantity: float
    unit: str
    cost: float


@dataclass(frozen=True)
class Alternative:
    """What Azure Container Registry costs in one of its tiers; None if it cannot do it."""

    name: str
    cost: float | None
    note: str = ""


def bill(work: Workload, prices: Prices) -> Sequence[Line]:
    """The lines of a month."""
    return [*_functions(work, prices), *_storage(work, prices), *_around(work, prices)]


def total(lines: Sequence[Line]) -> float:
    """Their sum."""
    return sum(line.cost for line in lines)


def alternatives(work: Workload, prices: Prices) -> Sequence[Alternative]:
    """Azure Container Registry's three tiers, with what leaves the region."""
    egress = _egress(work, prices).cost
    found = []
    for name, (included, has_all) in _ACR.items():
        if not has_all and (work.regions > 1 or work.private_endpoints):
            lacks = "several regions" if work.regions > 1 else "private endpoints"
            found.append(Alternative(name, None, f"does not have {lacks}"))
            continue
        days = DAYS * prices[f"acr_{name.lower()}_day"] * work.regions
        above = max(0.0, work.stored_gb - included) * work.regions
        found.append(Alternative(name, days + above * DAYS * prices["acr_gb_day"] + egress))
    return found


def _functions(work: Workload, prices: Prices) -> Iterator[Line]:
    # Each of these is billed for a second: it finds its instance asleep, or is done in less.
    isolated = _probes(work) + TIMER_RUNS_A_DAY * DAYS * work.regions + 2 * _kept_warm(work)
    executions = (
        work.pushes * workload.requests_of_push(work)
        + work.pulls * workload.requests_of_pull(work)
        + work.deletions * (workload.requests_of_deletion() + workload.MESSAGES)
        + isolated
    )
    seconds = (
        work.pushes * workload.seconds_of_push(work)
        + work.pulls * workload.seconds_of_pull(work)
        + work.deletions * workload.seconds_of_deletion(work)
        + isolated
    )
    gb_seconds = seconds * work.memory_gb
    price, free, free_gb_seconds = (
        # Those kept ready take what comes, as long as they can; nothing of it is free.
        (prices["always_ready_execution_gb_second"], 0.0, 0.0)
        if work.always_ready
        else (prices["execution_gb_second"], prices["free_executions"], prices["free_gb_seconds"])
    )
    billed = max(0.0, executions - free)
    yield Line("executions", executions, "executions", billed * prices["execution"])
    billed = max(0.0, gb_seconds - free_gb_seconds)
    yield Line("execution time", gb_seconds, "GB-s", billed * price)
    if work.always_ready:
        ready = work.always_ready * work.regions * DAYS * 86_400 * work.memory_gb
        yield Line("always ready", ready, "GB-s", ready * prices["always_ready_gb_second"])


def _storage(work: Workload, prices: Prices) -> Iterator[Line]:
    timers = TIMER_RUNS_A_DAY * DAYS * work.regions
    calls = (
        workload.calls_of_push(work) * work.pushes
        + workload.calls_of_pull(work) * work.pulls
        + workload.calls_of_deletion(work) * work.deletions
        + TIMER_CALLS * timers
        + workload.calls_of_count(work) * (DAYS * work.regions)
        + workload.Calls(table=1) * _probes(work)
        + KEEP_WARM_CALLS * _kept_warm(work)
    )
    stored = work.stored_gb * work.regions
    yield Line("blob writes", calls.blob_write, "calls", calls.blob_write * prices["blob_write"])
    yield Line("blob reads", calls.blob_read, "calls", calls.blob_read * prices["blob_read"])
    yield Line(
        "other blob calls", calls.blob_other, "calls", calls.blob_other * prices["blob_other"]
    )
    yield Line("table calls", calls.table, "calls", calls.table * prices["table_operation"])
    yield Line("queue calls", calls.queue, "calls", calls.queue * prices["queue_operation"])
    polls = workload.QUEUE_POLLS_A_DAY * DAYS * work.regions
    yield Line("looks at the queue", polls, "calls", polls * prices["queue_operation"])
    yield Line("stored", stored, "GB", stored * prices["blob_gb_month"])
    yield _egress(work, prices)


def _egress(work: Workload, prices: Prices) -> Line:
    leaving = work.pulls * work.image_mb * work.pulled_layers * work.internet / 1000
    billed = max(0.0, leaving - prices["free_egress_gb"])
    return Line("to the internet", leaving, "GB", billed * prices["egress_gb"])


def _around(work: Workload, prices: Prices) -> Iterator[Line]:
    kilobytes = (
        work.pushes * log_volume.of_push(work)
        + work.pulls * log_volume.of_pull(work)
        + work.deletions * log_volume.of_deletion()
    )
    checks = _probes(work) + 2 * _kept_warm(work)
    logs = (kilobytes + checks * log_volume.HEALTH_CHECK_KB) / 1_000_000
    yield Line("logs", logs, "GB", max(0.0, logs - prices["free_log_gb"]) * prices["log_gb"])
    if work.metrics:
        told = _told_minutes(work)
        yield Line("metrics", told, "requests", told * prices["metric_request"])
    if work.alerts:
        yield Line("alerts on logs", LOG_ALERTS, "rules", LOG_ALERTS * prices["log_alert"])
        series = THROTTLING_SERIES * work.regions
        billed = max(0.0, series - prices["free_metric_series"])
        yield Line("alerts on storage", series, "time series", billed * prices["metric_series"])
    secrets = SECRET_READS_A_DAY * DAYS * work.regions
    yield Line("Key Vault", secrets, "reads", secrets * prices["secret_operation"])
    if work.regions > 1:
        if work.probes:
            cost = work.regions * prices["dns_probe_endpoint"]
            yield Line("probed regions", work.regions, "endpoints", cost)
        queries = float(work.pushes + work.pulls)
        yield Line("DNS queries", queries, "queries", queries * prices["dns_query"])
    if work.private_endpoints:
        endpoints = ENDPOINTS * work.regions
        yield Line(
            "private endpoints", endpoints, "endpoints", endpoints * prices["private_endpoint"]
        )
        yield Line("private DNS zones", ZONES, "zones", ZONES * prices["private_zone"])


def _told_minutes(work: Workload) -> float:
    """Minutes in which an instance has something to tell Azure Monitor: one request each.

    At most one for each pull and push, where each has a minute to itself, and one or two a night.
    """
    nights = 2 * DAYS * work.regions
    return (work.pushes + work.pulls) / work.overlap + nights


def _kept_warm(work: Workload) -> float:
    """Runs of `keep_warm`; each asks for `/healthz`, which is an execution as well."""
    return work.keep_warm * work.regions


def _probes(work: Workload) -> float:
    """Requests to `/healthz`; each finds an instance asleep, and is billed for a second."""
    if work.regions < 2 or not work.probes:
        return 0.0
    return PROBES_A_MINUTE * 60 * 24 * DAYS * work.regions
