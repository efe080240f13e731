"""The bill adds up, grows with what is done, and is honest about what costs while idle."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_cli import main
from slipway_cli.billing import bill, log_volume
from slipway_cli.billing.prices import FILE, Prices, PricesError
from slipway_cli.billing.workload import WORKLOADS, Workload

PRICES = Prices.read()


def total(work: Workload) -> float:
    return bill.total(bill.bill(work, PRICES))


def line(work: Workload, what: str) -> bill.Line:
    return next(each for each in bill.bill(work, PRICES) if each.what == what)


@given(
    pushes=st.integers(0, 10**6),
    pulls=st.integers(0, 10**7),
    more=st.sampled_from(["pushes", "pulls", "deletions", "stored_gb", "regions", "always_ready"]),
)
def test_more_of_anything_never_costs_less(pushes: int, pulls: int, more: str) -> None:
    work = Workload(pushes=pushes, pulls=pulls, stored_gb=10)
    grown = replace(work, **{more: getattr(work, more) + 1000})
    assert total(grown) >= total(work)
    assert total(work) == pytest.approx(sum(each.cost for each in bill.bill(work, PRICES)))


def test_idle_in_one_region_costs_looks_at_the_queue_and_with_alerts_their_one_rule() -> None:
    idle = WORKLOADS["idle"]
    looks = ["looks at the queue"]
    assert [each.what for each in bill.bill(idle, PRICES) if each.cost > 0.005] == looks
    assert line(idle, looks[0]).quantity == pytest.approx(2 * 6 * 60 * 730)
    assert total(idle) == pytest.approx(0.02, abs=0.005)
    alerted = bill.bill(replace(idle, alerts=True), PRICES)
    assert [each.what for each in alerted if each.cost > 0.005] == [*looks, "alerts on logs"]
    assert bill.total(alerted) == pytest.approx(0.52, abs=0.005)


def test_a_deletion_is_billed_with_the_two_messages_after_it() -> None:
    work = Workload(deletions=100_000)
    # A second for the deletion, and one for each message.
    assert line(work, "execution time").quantity == pytest.approx(2 * 3 * 100_000, rel=0.001)
    assert line(work, "executions").quantity == pytest.approx(5 * 100_000, rel=0.001)
    # Sent and taken and deleted, twice.
    assert line(work, "queue calls").quantity == 6 * 100_000


@pytest.mark.parametrize(("regions", "billed"), [(1, 0), (2, 0), (3, 2), (5, 10)])
def test_the_time_series_of_alerts_are_billed_beyond_those_that_are_free(
    regions: int, billed: int
) -> None:
    work = Workload(regions=regions, alerts=True)
    assert line(work, "alerts on storage").cost == pytest.approx(0.1 * billed)


def test_what_is_asked_for_around_the_clock_to_keep_an_instance_lies_within_what_is_free() -> None:
    idle = WORKLOADS["idle"]
    always = replace(idle, keep_warm=15 * 24 * 31)
    # A second of the timer's instance and one of the instance for HTTP, of 2 GB each.
    assert line(always, "execution time").quantity == pytest.approx(4 * 15 * 24 * 31, rel=0.01)
    for what in ("execution time", "executions", "logs"):
        assert line(always, what).cost == 0
    assert 0 < total(always) - total(idle) < 0.1


def test_keeping_warm_is_billed_beyond_what_is_free() -> None:
    work = Workload(keep_warm=15 * 24 * 31, regions=3)
    assert line(work, "execution time").cost > 0


def test_a_health_check_is_logged_by_the_host_alone() -> None:
    assert line(Workload(keep_warm=500_000), "logs").quantity == pytest.approx(1.08)
    pulls = Workload(pulls=1000)
    assert line(pulls, "logs").quantity == pytest.approx(log_volume.of_pull(pulls) / 1000)


def test_probes_of_several_regions_are_billed_and_can_be_left_out() -> None:
    two = replace(WORKLOADS["idle"], regions=2)
    # A second of 2 GB for each of ten probes a minute.
    assert line(two, "execution time").quantity == pytest.approx(2 * 2 * 10 * 60 * 730, rel=0.01)
    assert total(replace(two, probes=False)) < 5


def test_a_pull_costs_at_least_the_second_that_is_billed() -> None:
    one = Workload(pulls=1_000_000)
    assert line(one, "execution time").quantity == pytest.approx(2_000_000, rel=0.01)
    shared = replace(one, overlap=10, concurrency=16)
    assert line(shared, "execution time").quantity == pytest.approx(200_000, rel=0.01)


def test_an_instance_serves_no_more_requests_at_once_than_its_concurrency() -> None:
    """Nine requests of 50 ms each are 0.45 s of one request at a time."""
    one = Workload(pulls=1_000_000, overlap=10, concurrency=1, request_seconds=0.05)
    assert line(one, "execution time").quantity == pytest.approx(2 * 450_000, rel=0.01)
    two = replace(one, concurrency=2)
    assert line(two, "execution time").quantity == pytest.approx(450_000, rel=0.01)
    # One pull alone is billed for a second, whatever else the instance could have served.
    alone = replace(one, overlap=1)
    assert line(alone, "execution time") == line(replace(alone, concurrency=2), "execution time")


def test_what_runs_on_an_instance_kept_ready_is_cheaper_and_never_free() -> None:
    one = Workload(pulls=10_000, always_ready=1)
    asleep = replace(one, always_ready=0)
    assert line(asleep, "execution time").cost == line(asleep, "executions").cost == 0
    assert line(one, "execution time").cost == pytest.approx(20_000 * 0.000016, rel=0.02)
    assert line(one, "executions").cost == pytest.approx(90_000 * 0.0000004, rel=0.01)
    many, kept = replace(asleep, pulls=10**7), replace(one, pulls=10**7)
    assert line(kept, "execution time").cost < line(many, "execution time").cost


def test_acr_is_billed_as_documented() -> None:
    """The example of Microsoft's page on its tiers: 25 GB in Basic are 0.212 USD a day."""
    basic, standard, premium = bill.alternatives(Workload(stored_gb=25), PRICES)
    assert basic.cost == pytest.approx(0.212 * bill.DAYS)
    assert standard.cost is not None
    assert premium.cost is not None
    basic, standard, premium = bill.alternatives(Workload(regions=3), PRICES)
    assert (basic.cost, standard.cost) == (None, None)
    assert premium.cost == pytest.approx(3 * 1.667 * bill.DAYS)


def test_every_price_has_a_source_and_is_used() -> None:
    document = json.loads(FILE.read_text())
    for entry in document["prices"].values():
        assert entry.keys() == {"price", "unit", "source", "confidence"}
    everything = Workload(
        1, 1, regions=2, private_endpoints=True, always_ready=1, internet=1, alerts=True
    )
    works = (everything, Workload())
    for name in document["prices"]:
        lacking = replace(PRICES, by_name={k: v for k, v in PRICES.by_name.items() if k != name})
        with pytest.raises(PricesError, match=name):
            _ = [(bill.bill(w, lacking), bill.alternatives(w, lacking)) for w in works]


def test_programs_get_the_same_members_of_each_line_and_no_sum_that_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["cost", "--regions", "2"]
    assert main.main([*command, "-o", "json"]) == 0
    rows = {row["item"]: row for row in json.loads(capsys.readouterr().out)}
    assert {tuple(row) for row in rows.values()} == {("item", "quantity", "unit", "cost")}
    assert rows["ACR Basic"]["cost"] is None
    assert rows["ACR Premium"]["cost"] > 0
    assert main.main(command) == 0
    assert re.search(
        "^ACR Basic +does not have several regions$", capsys.readouterr().out, re.MULTILINE
    )


def test_the_command_works_without_storage_and_prints_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RegistryStorage", raising=False)
    assert main.main(["cost", "--workload", "idle", "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[-4]["item"] == "Slipway"
    assert rows[-4]["cost"] == pytest.approx(total(WORKLOADS["idle"]), abs=0.001)


def test_every_number_of_a_workload_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["cost", "--help"])
    told = capsys.readouterr().out
    renamed = {"memory_gb": "--instance-memory", "probes": "--no-probes", "metrics": "--no-metrics"}
    for field in fields(Workload):
        assert renamed.get(field.name, "--" + field.name.replace("_", "-")) in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "2,048 MB that serves 2 requests at once holds bodies of up to 133 MiB."),
        (
            ["--concurrency", "1"],
            "2,048 MB that serves 1 request at once holds bodies of up to 267 ",
        ),
        (
            ["--instance-memory", "512"],
            "512 MB that serves 2 requests at once holds bodies of up to ",
        ),
        (["--instance-memory", "512", "--concurrency", "50"], "50 requests at once holds none."),
    ],
)
def test_beside_the_price_stands_the_largest_body_that_such_instances_hold(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["cost", *options]) == 0
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--pulls", "-1"], ["--internet", "2"], ["--regions", "0"], ["--layers", "x"]]
)
def test_a_number_that_is_none_is_refused(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["cost", *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_a_list_of_prices_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    path.write_text("{}")
    assert main.main(["cost", "--prices", str(path)]) == 1
    assert "mine.json" in capsys.readouterr().err
