"""The results as a table to read, or as JSON to keep."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict

from bench.layers import GIB, KIB, MIB
from bench.upload import Pair, Results, median_ratio

_THROUGHPUT = (
    "throughput                raw MiB/s  streamed MiB/s  ratio: median (least, most)  other load"
)
_UNITS = ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))


def as_json(results: Results) -> str:
    """Everything measured: rates in bytes a second, sizes in bytes."""
    medians = {"median_ratio": median_ratio(results.pairs)}
    if results.apart:
        medians["median_ratio_apart"] = median_ratio(results.apart)
    document = {**medians, **asdict(results)}
    return json.dumps(document, indent=2)


def as_table(results: Results) -> str:
    """What there is to know, in lines for a terminal."""
    lines = [
        _THROUGHPUT,
        _throughput("shared processors", results.pairs),
        *([_throughput("storage apart", results.apart)] if results.apart else []),
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


def _throughput(how: str, pairs: Sequence[Pair]) -> str:
    ratios = [pair.ratio for pair in pairs]
    raw = statistics.median(pair.raw_rate for pair in pairs) / MIB
    streamed = statistics.median(pair.streamed_rate for pair in pairs) / MIB
    load = statistics.median(pair.other_load for pair in pairs)
    spread = f"{median_ratio(pairs):.3f} ({min(ratios):.3f}, {max(ratios):.3f})"
    return f"{len(pairs):>3} x {how:<18} {raw:10.1f}  {streamed:14.1f}  {spread}  {load:15.2f}"


def size(count: int) -> str:
    """A number of bytes in the largest unit that it is a multiple of."""
    unit, name = next(((unit, name) for unit, name in _UNITS if count % unit == 0), (1, "B"))
    return f"{count // unit} {name}"
