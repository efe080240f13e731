import contextlib
from dataclasses import fields

import pytest

from registry_core.auth.rate_limiter import MAX_CALLERS, RateLimiter
from registry_core.errors import TooManyRequests
from registry_core.model.requests import RequestKind
from registry_core.settings import RateLimits, Settings

READ, WRITE, REFERRERS = (RequestKind.READ,), (RequestKind.WRITE,), (RequestKind.REFERRERS,)
KINDS = list(RequestKind)
OFF = dict.fromkeys((each.name for each in fields(RateLimits)), 0)


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(clock: Clock, **limits: int) -> RateLimiter:
    """One with these limits alone."""
    return RateLimiter(RateLimits(**{**OFF, **limits}), clock.now)


def refusal(limiter: RateLimiter, kinds: tuple[RequestKind, ...], caller: str) -> TooManyRequests:
    with pytest.raises(TooManyRequests) as raised:
        limiter.take(kinds, caller)
    return raised.value


def seconds(limiter: RateLimiter, caller: str, kinds: tuple[RequestKind, ...] = READ) -> int:
    """What a caller who is refused is told to wait."""
    return int(refusal(limiter, kinds, caller).headers["Retry-After"])


def test_as_many_requests_as_the_limit_says_are_answered_and_no_more(clock: Clock) -> None:
    limited = limiter(clock, read=3)
    assert [limited.take(READ, "a") for _ in range(3)] == [2, 1, 0]
    assert seconds(limited, "a") == 60


def test_the_wait_counts_down_and_whoever_waits_so_long_has_a_whole_minute_again(
    clock: Clock,
) -> None:
    limited = limiter(clock, read=2)
    limited.take(READ, "a")
    clock.time += 5
    limited.take(READ, "a")
    assert seconds(limited, "a") == 55
    clock.time += 10
    assert seconds(limited, "a") == 45
    clock.time += 44.5
    assert seconds(limited, "a") == 1
    clock.time += 0.5
    assert [limited.take(READ, "a") for _ in range(2)] == [1, 0]
    assert seconds(limited, "a") == 60


def test_a_caller_and_a_kind_are_counted_for_themselves(clock: Clock) -> None:
    limited = limiter(clock, read=1, write=1)
    limited.take(READ, "a")
    refusal(limited, READ, "a")
    assert limited.take(WRITE, "a") == 0
    assert limited.take(READ, "b") == 0


def test_all_together_have_a_limit_that_no_single_one_reaches(clock: Clock) -> None:
    limited = limiter(clock, read=2, read_total=3)
    limited.take(READ, "a")
    limited.take(READ, "a")
    assert limited.take(READ, "b") == 0
    assert "REGISTRY_RATE_LIMIT_READ_TOTAL" in refusal(limited, READ, "b").text


def test_what_is_refused_is_taken_from_nobody(clock: Clock) -> None:
    """Otherwise one who goes on asking would use up what all others are to share."""
    limited = limiter(clock, read=2, read_total=5, referrers=1)
    for _ in range(2):
        limited.take(READ, "a")
    for _ in range(10):
        refusal(limited, READ, "a")
    assert [limited.take(READ, "b") for _ in range(2)] == [1, 0]
    # And one that is refused as a list of referrers is not taken from the reads either.
    assert limited.take((*READ, *REFERRERS), "c") == 0
    refusal(limited, (*READ, *REFERRERS), "c")
    clock.time += 60
    limited.take((*READ, *REFERRERS), "c")
    refusal(limited, (*READ, *REFERRERS), "c")
    assert limited.take(READ, "c") == 0


def test_whoever_waits_as_told_is_held_up_by_no_other_limit(clock: Clock) -> None:
    limited = limiter(clock, read=1, referrers=1)
    limited.take(REFERRERS, "a")
    clock.time += 20
    limited.take(READ, "a")
    assert seconds(limited, "a", (*READ, *REFERRERS)) == 60
    clock.time += 60
    limited.take((*READ, *REFERRERS), "a")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["", "_total"])
def test_each_limit_has_a_setting_that_its_refusal_names_and_0_switches_it_off(
    clock: Clock, kind: RequestKind, suffix: str
) -> None:
    field = f"{kind}{suffix}"
    limited = limiter(clock, **{field: 1})
    limited.take((kind,), "a")
    (setting,) = [
        word.strip("();") for word in refusal(limited, (kind,), "a").text.split() if "_" in word
    ]
    storage = {"RegistryStorage": "UseDevelopmentStorage=true"}
    read = Settings.from_environment({**storage, setting: "7"}).rate_limits
    assert read is not None
    assert getattr(read, field) == 7
    off = RateLimiter(
        Settings.from_environment({**storage, **dict.fromkeys(_settings(), "0")}).rate_limits,
        clock.now,
    )
    assert [off.take((kind,), "a") for _ in range(3)] == [None] * 3


def _settings() -> list[str]:
    return [f"REGISTRY_RATE_LIMIT_{each.name.upper()}" for each in fields(RateLimits)]


def test_without_limits_nothing_is_counted_or_remembered(clock: Clock) -> None:
    off = RateLimiter(None, clock.now)
    assert {off.take((kind,), str(n)) for kind in KINDS for n in range(1000)} == {None}
    assert off.remembered() == 0


def test_as_many_callers_as_come_what_is_remembered_is_bounded(clock: Clock) -> None:
    limited = limiter(clock, read=1)
    answered = 0
    for number in range(3 * MAX_CALLERS):
        try:
            limited.take(READ, str(number))
        except TooManyRequests:
            continue
        answered += 1
        assert limited.remembered() <= MAX_CALLERS
    # One for each with a bucket of their own, and one for all others.
    assert answered == MAX_CALLERS + 1


def test_a_flood_of_callers_fills_nobodys_bucket_and_empties_nobodys(clock: Clock) -> None:
    limited = limiter(clock, read=2)
    for _ in range(2):
        limited.take(READ, "spent")
    limited.take(READ, "half")
    for number in range(2 * MAX_CALLERS):
        with contextlib.suppress(TooManyRequests):
            limited.take(READ, f"flood-{number}")
    refusal(limited, READ, "spent")
    assert limited.take(READ, "half") == 0


def test_those_on_top_share_a_bucket_until_the_minute_of_another_is_over(clock: Clock) -> None:
    limited = limiter(clock, read=1)
    limited.take(READ, "first")
    clock.time += 30
    for number in range(MAX_CALLERS - 1):
        limited.take(READ, str(number))
    limited.take(READ, "on top")
    refusal(limited, READ, "another on top")
    clock.time += 30
    assert limited.take(READ, "another on top") == 0
    refusal(limited, READ, "yet another")
    clock.time += 30
    assert limited.take(READ, "yet another") == 0


def test_what_is_over_is_forgotten(clock: Clock) -> None:
    limited = limiter(clock, read=1, write=1)
    for number in range(100):
        limited.take(READ, str(number))
    clock.time += 60
    limited.take(READ, "a")
    assert limited.remembered() == 1


def test_the_defaults_let_a_build_pull_and_push_64_images_of_8_layers_at_once(
    clock: Clock,
) -> None:
    """By one identity from one address, on one instance, within one moment."""
    limited = RateLimiter(RateLimits(), clock.now)
    blobs = 8 + 1
    for _ in range(64):
        for _ in range(2 + 2):  # Two sign in, once for the pull and once for the push.
            limited.take((RequestKind.SIGN_IN,), "10.0.0.9")
        for _ in range(2 + 2 + blobs + blobs):  # Ping, tag, manifest, blobs; those that are there.
            limited.take(READ, "build")
        for _ in range(3 * blobs + 1):  # POST, PATCH, PUT; the manifest.
            limited.take(WRITE, "build")
