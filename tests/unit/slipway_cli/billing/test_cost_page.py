"""docs/cost.md says what the code computes."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

from slipway_cli.billing import bill, log_volume, workload
from slipway_cli.billing.instance import Instance
from slipway_cli.billing.prices import Prices
from slipway_cli.billing.workload import WORKLOADS, Workload, requests_of_pull, requests_of_push

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/cost.md").read_text()
PRICES = Prices.read()


def total(work: Workload) -> float:
    return bill.total(bill.bill(work, PRICES))


def money(cost: float | None) -> str:
    return "cannot" if cost is None else f"{cost:,.2f}"


def tables() -> str:
    """The workloads, and what they cost."""
    works = list(WORKLOADS.values())
    head = ["a month", *WORKLOADS]
    lines = [
        head,
        ["pushes", *(f"{w.pushes:,}" for w in works)],
        ["pulls", *(f"{w.pulls:,}" for w in works)],
        ["deletions", *(f"{w.deletions:,}" for w in works)],
        ["image: layers, MB", *(f"{w.layers}, {w.image_mb:g}" for w in works)],
        ["stored GB", *(f"{w.stored_gb:,g}" for w in works)],
        ["**Slipway**, USD", *(f"**{money(total(w))}**" for w in works)],
    ]
    alerted = [money(total(replace(w, alerts=True))) for w in works]
    lines.append(["Slipway, with alerts by e-mail", *alerted])
    for index, name in enumerate(("Basic", "Standard", "Premium")):
        costs = [bill.alternatives(w, PRICES)[index].cost for w in works]
        lines.append([f"ACR {name}", *map(money, costs)])
    for regions, probes in ((2, True), (2, False)):
        many = [replace(w, regions=regions, probes=probes) for w in works]
        suffix = "" if probes else ", not probed"
        lines.append([f"Slipway, 2 regions{suffix}", *(money(total(w)) for w in many)])
    premium = [bill.alternatives(replace(w, regions=2), PRICES)[2].cost for w in works]
    lines.append(["ACR Premium, 2 regions", *map(money, premium)])
    outside = [money(total(replace(w, internet=1))) for w in works]
    lines.append(["Slipway, all pulls to the internet", *outside])
    rows = [f"| {' | '.join(line)} |" for line in lines]
    rows.insert(1, "|---|" + "---|" * len(works))
    return "\n".join(rows)


# Instances of docs/limits.md.
INSTANCES = ((512, 1), (2048, 4), (2048, 2), (2048, 1), (4096, 4), (4096, 1))


def million_pulls(memory_mb: int, concurrency: int, overlap: float) -> float:
    """The execution time of a million pulls of `busy`, without what is free."""
    work = replace(
        WORKLOADS["busy"], memory_gb=memory_mb / 1024, concurrency=concurrency, overlap=overlap
    )
    gb_seconds = 1_000_000 * workload.seconds_of_pull(work) * work.memory_gb
    return gb_seconds * PRICES["execution_gb_second"]


def layers() -> str:
    """What such instances mean for the largest layer, and for the price of pulls."""
    head = "| `instanceMemoryMB` | `perInstanceConcurrency` | largest body, MiB | each pull alone |"
    rows = [f"{head} on instances that are never idle |", "|---|---|---|---|---|"]
    for memory, concurrency in INSTANCES:
        alone, never_idle = (million_pulls(memory, concurrency, over) for over in (1, 1e9))
        largest = Instance(memory, concurrency).largest_body_mib
        rows.append(f"| {memory} | {concurrency} | {largest} | {alone:.2f} | {never_idle:.2f} |")
    return "\n".join(rows)


def break_even(name: str, tier: int) -> int:
    """At how many pulls a month a workload costs what a tier of ACR does, to a thousand."""
    work = WORKLOADS[name]
    while total(work) < (bill.alternatives(work, PRICES)[tier].cost or 0):
        work = replace(work, pulls=work.pulls + 1000)
    return work.pulls


def test_the_tables_are_those_that_the_code_computes() -> None:
    assert tables() in PAGE, tables()


def test_what_a_larger_layer_costs_is_computed_too() -> None:
    assert layers() in PAGE, layers()
    flowing = re.sub(r"\s+", " ", PAGE)
    more = million_pulls(2048, 2, 1e9) - million_pulls(2048, 4, 1e9)
    assert f"costs up to {more:,.2f} USD more for a million pulls than 4 at once" in flowing, more
    busy = WORKLOADS["busy"]
    of_busy = total(busy) - total(replace(busy, concurrency=4))
    assert f"In `busy`, this is {of_busy:,.2f} USD of {total(busy):,.2f}." in flowing, of_busy
    limit = Instance().body_limit_mib
    assert f"layers of {limit} MiB instead of {Instance(2048, 4).largest_body_mib}" in flowing


def test_the_other_figures_are_those_too() -> None:
    idle = WORKLOADS["idle"]
    two = replace(idle, regions=2)
    probes = total(two) - total(replace(two, probes=False))
    ready = total(replace(idle, always_ready=1)) - total(idle)
    flowing = re.sub(r"\s+", " ", PAGE)
    assert f"For two regions this costs {probes:,.2f} USD a month" in flowing, probes
    assert f"| a month, 2,048 MB | {ready:,.2f} USD," in PAGE, ready
    alerts = total(replace(idle, alerts=True)) - total(idle)
    assert f"reads the logs costs {alerts:,.2f} USD a month" in flowing, alerts
    for runs, when in ((3960, "every 4 minutes for 12 hours on 22 days"), (10950, "around the")):
        warm = total(replace(idle, keep_warm=runs)) - total(idle)
        assert f"{warm:,.2f} USD {when}" in flowing, warm
    seconds = 2 * 10950 * idle.memory_gb
    executed = seconds * PRICES["execution_gb_second"] + 2 * 10950 * PRICES["execution"]
    assert f"{seconds:,.0f} GB-s and {2 * 10950:,} executions a month" in flowing
    assert f"it costs {executed:,.2f} USD a month around the clock" in flowing, executed
    (logs,) = (each for each in bill.bill(WORKLOADS["busy"], PRICES) if each.what == "logs")
    assert f"cost of `busy`: {logs.quantity * 12 / 365:,.1f} GB a day" in flowing, logs
    assert 0.4 < logs.cost / total(WORKLOADS["busy"]) < 0.5
    whole = log_volume.of_pull(replace(WORKLOADS["team"], pulled_layers=1))
    assert f"a pull of all of 8 layers leaves {whole:.0f} kB" in flowing, whole
    assert f"{1e6 / whole / 1000:.0f},000 such pulls a day" in flowing, whole
    for name, tier in (("team", 1), ("small", 0)):
        pulls = break_even(name, tier)
        assert f"At {pulls:,} pulls a month of the workload `{name}`" in PAGE, pulls
    standard = bill.alternatives(idle, PRICES)[1].cost
    assert standard
    assert 0.9 < ready / standard < 1.3


def test_what_audit_records_would_cost_in_storage_is_computed() -> None:
    busy, flowing = WORKLOADS["busy"], re.sub(r"\s+", " ", PAGE)
    records = busy.pulls * log_volume.records_of_pull(busy)
    records += busy.pushes * log_volume.records_of_push(busy)
    kilobytes = busy.pulls * log_volume.of_pull(busy) + busy.pushes * log_volume.of_push(busy)
    requests = busy.pulls * requests_of_pull(busy) + busy.pushes * requests_of_push(busy)
    gigabytes = (kilobytes - requests * log_volume.REQUEST_BYTES / 1000) / 1e6
    insights, appends = gigabytes * PRICES["log_gb"], records * PRICES["blob_write"]
    assert f"{records / 1e6:.1f} million audit records" in flowing, records
    assert f"{gigabytes:.1f} GB in Application Insights, {insights:,.2f} USD" in flowing, insights
    assert f"its own append: {appends:,.2f} USD" in flowing, appends
    assert f"one append for twenty: {appends / 20:,.2f} USD" in flowing, appends


def test_the_commands_on_the_page_work_as_printed() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 3
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Slipway" in done.stdout
