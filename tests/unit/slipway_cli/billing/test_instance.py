"""The rule of memory, concurrency and bodies, against what was seen on the Functions host."""

from __future__ import annotations

import pytest

from slipway_cli.billing.instance import MEMORY_MB, Instance

DISK_MIB = 762
"""The temporary disk of an instance, 0.8 GB: the host also keeps bodies there."""

# Memory in MB, uploads at once, MiB of each, as they were tried; whether it may be deployed.
SEEN = (
    (512, 1, 79, False),  # All were answered, by more memory than there is.
    (2048, 4, 99, False),
    (2048, 1, 399, False),
    (2048, 2, 99, True),
    (4096, 4, 189, False),
)


@pytest.mark.parametrize(("memory", "at_once", "each", "allowed"), SEEN)
def test_what_ended_an_instance_is_refused_and_what_it_survived_by_far_is_not(
    memory: int, at_once: int, each: int, allowed: bool
) -> None:
    assert Instance(memory, at_once, each).holds is allowed


@pytest.mark.parametrize("memory", MEMORY_MB)
def test_the_rule_is_the_one_that_was_measured(memory: int) -> None:
    mib = Instance(memory).bodies_mib
    for bodies, fits in ((mib, True), (mib + 1, False)):
        of_heap = bodies <= (0.75 * memory - 250) / 4.8
        of_all = memory >= 400 + 4.2 * bodies
        assert (of_heap and of_all) is fits, bodies


def test_the_defaults_hold_and_one_upload_more() -> None:
    """A cap on requests was reported to be ignored; 3 bodies of 99 MiB were seen to survive."""
    assert Instance().holds
    assert (Instance().concurrency + 1) * Instance().body_limit_mib <= 300


@pytest.mark.parametrize("memory", MEMORY_MB)
@pytest.mark.parametrize("processes", [1, 2])
def test_the_host_may_take_at_least_as_many_requests_as_make_the_platform_start_another_instance(
    memory: int, processes: int
) -> None:
    for concurrency in range(1, 101):
        for limit in range(1, 600):
            instance = Instance(memory, concurrency, limit, processes)
            assert instance.holds == (concurrency <= instance.most_requests)
            assert instance.holds == (concurrency * limit <= instance.bodies_mib)


@pytest.mark.parametrize("memory", MEMORY_MB)
def test_the_temporary_disk_holds_what_the_memory_does(memory: int) -> None:
    assert Instance(memory).bodies_mib <= DISK_MIB


def test_a_process_more_takes_memory_from_bodies_where_it_is_short() -> None:
    assert Instance(512, processes=2).bodies_mib < Instance(512).bodies_mib
    assert Instance(4096, processes=2).bodies_mib == Instance(4096).bodies_mib
