"""The results as a table to read, or as JSON to keep."""

import json
import statistics
from dataclasses import asdict

from bench.layers import GIB, KIB, MIB
from bench.upload import Results, median_ratio

_UNITS = ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))


def as_json(results: Results) -> str:
    """Everything measured: rates in bytes a second, sizes in bytes."""
    document = {"median_ratio": median_ratio(results.pairs), **asdict(results)}
    return json.dumps(document, indent=2)


def as_table(results: Results) -> str:
    """What there is to know, in lines for a terminal."""
    ratios = [pair.ratio for pair in results.pairs]
    raw = statistics.median(pair.raw_rate for pair in results.pairs) / MIB
    streamed = statistics.median(pair.streamed_rate for pair in results.pairs) / MIB
    load = statistics.median(pair.other_load for pair in results.pairs)
    spread = f"{median_ratio(results.pairs):.3f} ({min(ratios):.3f}, {max(ratios):.3f})"
    lines = [
        "throughput      raw MiB/s  streamed MiB/s  ratio: median (least, most)  other load",
        f"{len(ratios):>3} pairs       {raw:9.1f}  {streamed:14.1f}  {spread}  {load:13.2f}",
        "",
        "memory          growth",
        *(
            f"{len(growth.layers):>3} x {size(growth.layers[0]):<9} {growth.bytes / MIB:6.1f} MiB"
            for growth in results.growths
        ),
        *(() if results.growths else ("  this system does not tell",)),
        "",
        "commit of            ms  storage calls  rounds  bytes to and from storage",
        *(
            f"{size(commit.size):>9} {commit.seconds * 1000:13.1f}  {commit.storage_calls:13}"
            f"  {commit.storage_rounds:6}  {commit.storage_bytes:25}"
            for commit in results.commits
        ),
    ]
    return "\n".join(lines)


def size(count: int) -> str:
    """A number of bytes in the largest unit that it is a multiple of."""
    unit, name = next(((unit, name) for unit, name in _UNITS if count % unit == 0), (1, "B"))
    return f"{count // unit} {name}"
