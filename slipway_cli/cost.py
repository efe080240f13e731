"""`slipway cost`: what a registry costs in a month, beside Azure Container Registry."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slipway_cli.billing import bill, workload
from slipway_cli.billing.instance import MEMORY_MB, Instance
from slipway_cli.billing.prices import FILE, Prices, PricesError
from slipway_cli.command import CommandError, Result, describe, say

_MEMORY = {str(megabytes): megabytes / 1024 for megabytes in MEMORY_MB}


def register(parser: argparse.ArgumentParser) -> None:
    """Adds what the command takes."""
    describe(
        parser,
        _run,
        "Estimate what a registry costs in a month, compared with Azure Container Registry. It "
        "needs no network: the prices are in a file, with their date and source.",
        "cost --workload team --pulls 50000 --regions 2",
    )
    parser.add_argument(
        "--workload",
        choices=tuple(workload.WORKLOADS),
        default="team",
        help="the workload to start from; other options change it (default: team)",
    )
    whole, share, amount = _number(int, 0), _number(float, 0, 1), _number(float, 0)
    for option, kind, text in (
        ("--pushes", whole, "images pushed in the month"),
        ("--pulls", whole, "images pulled in the month"),
        ("--deletions", whole, "images deleted in the month"),
        ("--layers", _number(int, 1), "layers of an image"),
        ("--image-mb", amount, "compressed size of an image in MB"),
        ("--stored-gb", amount, "data stored in each region, in GB"),
        (
            "--new-layers",
            share,
            "share of a pushed image's layers that are new to the registry, 0 to 1",
        ),
        (
            "--pulled-layers",
            share,
            "share of a pulled image's layers that are new to the client, 0 to 1",
        ),
        ("--internet", share, "share of pulled bytes that leave the region, 0 to 1"),
        ("--regions", _number(int, 1), "number of regions"),
        ("--always-ready", whole, "instances kept ready in each region"),
        (
            "--keep-warm",
            whole,
            "how many times in the month keepWarm calls /healthz in each region",
        ),
        ("--overlap", _number(float, 1), "pushes and pulls that an instance serves at once"),
        (
            "--concurrency",
            _number(int, 1, 100),
            "requests that an instance serves at once (perInstanceConcurrency)",
        ),
        ("--request-seconds", amount, "duration of a request that transfers no blob, in seconds"),
        ("--upload-mb-second", _number(float, 0.1), "speed of uploads, in MB/s"),
    ):
        parser.add_argument(option, type=kind, metavar="N", help=text)
    parser.add_argument(
        "--instance-memory",
        choices=tuple(_MEMORY),
        help=f"memory of an instance, in MB (default: {Instance.memory_mb})",
    )
    parser.add_argument("--private-endpoints", action="store_true", default=None)
    parser.add_argument(
        "--alerts", action="store_true", default=None, help="alerts are sent by e-mail"
    )
    parser.add_argument(
        "--no-metrics",
        dest="metrics",
        action="store_false",
        default=None,
        help="no metrics are sent to Azure Monitor (metrics is off)",
    )
    parser.add_argument(
        "--no-probes",
        dest="probes",
        action="store_false",
        default=None,
        help="Traffic Manager does not probe the regions (probeRegions is off)",
    )
    parser.add_argument("--prices", type=Path, default=FILE, help="a file with other prices")


def _number(kind: type[int | float], least: float, most: float = 1e12) -> Callable[[str], Any]:
    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"use a number from {least:,.15g} to {most:,.15g}")
        return value

    parse.__name__ = "number"
    return parse


async def _run(arguments: argparse.Namespace) -> Result:
    try:
        prices = Prices.read(arguments.prices)
        work = _workload(arguments)
        lines, others = bill.bill(work, prices), bill.alternatives(work, prices)
    except PricesError as error:
        raise CommandError(str(error)) from error
    say(f"In {prices.currency} a month, prices of {prices.date}, {prices.region}. {_told(work)}")
    rows: list[dict[str, object]] = [
        {
            "item": line.what,
            "quantity": f"{line.quantity:,.0f}" if arguments.output == "table" else line.quantity,
            "unit": line.unit,
            "cost": _money(line.cost, arguments.output),
        }
        for line in lines
    ]
    sums = [
        ("Slipway", bill.total(lines), ""),
        *((f"ACR {o.name}", o.cost, o.note) for o in others),
    ]
    for name, cost, note in sums:
        shown = None if cost is None else _money(cost, arguments.output)
        if arguments.output != "json":  # People read there why a tier has no sum.
            shown = note or shown
        rows.append({"item": name, "quantity": None, "unit": None, "cost": shown})
    return rows


def _workload(arguments: argparse.Namespace) -> workload.Workload:
    names = workload.Workload.__dataclass_fields__
    changes = {name: getattr(arguments, name, None) for name in names}
    if arguments.instance_memory:
        changes["memory_gb"] = _MEMORY[arguments.instance_memory]
    return workload.changed(workload.WORKLOADS[arguments.workload], changes)


def _told(work: workload.Workload) -> str:
    """What the bill is for, in a sentence: people see what they did not say."""
    return (
        f"{work.pushes:,} pushes, {work.pulls:,} pulls and {work.deletions:,} deletions of images "
        f"of {work.image_mb:,.12g} MB in {work.layers} layers; {work.stored_gb:,.12g} GB in each "
        f"of {work.regions} region{'s' if work.regions > 1 else ''}. {_holds(work)}"
    )


def _holds(work: workload.Workload) -> str:
    """What the instances of this bill mean for the largest layer."""
    instance = Instance(memory_mb=round(work.memory_gb * 1024), concurrency=work.concurrency)
    largest = instance.largest_body_mib
    served = f"An instance of {instance.memory_mb:,} MB that serves {instance.concurrency} "
    served += f"request{'s' if instance.concurrency > 1 else ''} at once"
    return f"{served} holds bodies of up to {largest} MiB." if largest else f"{served} holds none."


def _money(cost: float, output: str) -> object:
    return f"{cost:,.2f}" if output == "table" else round(cost, 4)
