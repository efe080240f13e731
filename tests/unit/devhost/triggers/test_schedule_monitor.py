import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devhost.triggers.ncrontab import NEVER, Schedule
from devhost.triggers.schedule_monitor import UNSET, ScheduleMonitor, ScheduleStatus

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = Schedule.parse("0 0 * * * *")


def test_a_timer_seen_for_the_first_time_has_missed_nothing(tmp_path: Path) -> None:
    status, missed = ScheduleMonitor(tmp_path).check("t", HOURLY, NOON)
    assert status == ScheduleStatus(UNSET, NOON + HOUR, UNSET)
    assert not missed


def test_a_time_that_passed_without_a_call_is_missed_in_the_next_run(tmp_path: Path) -> None:
    ScheduleMonitor(tmp_path).update("t", ScheduleStatus(NOON, NOON + HOUR, NOON))
    status, missed = ScheduleMonitor(tmp_path).check("t", HOURLY, NOON + 5 * HOUR)
    assert missed
    assert status.next == NOON + HOUR


def test_even_the_first_time_of_all_can_be_missed(tmp_path: Path) -> None:
    ScheduleMonitor(tmp_path).check("t", HOURLY, NOON)
    assert ScheduleMonitor(tmp_path).check("t", HOURLY, NOON + 2 * HOUR)[1]


def test_a_time_still_to_come_is_not_missed(tmp_path: Path) -> None:
    ScheduleMonitor(tmp_path).update("t", ScheduleStatus(NOON, NOON + HOUR, NOON))
    assert not ScheduleMonitor(tmp_path).check("t", HOURLY, NOON + HOUR)[1]


def test_a_schedule_that_was_changed_has_missed_nothing(tmp_path: Path) -> None:
    ScheduleMonitor(tmp_path).update("t", ScheduleStatus(NOON, NOON + HOUR, NOON))
    every_ten_minutes = Schedule.parse("0 */10 * * * *")
    now = NOON + timedelta(hours=3, minutes=1)
    status, missed = ScheduleMonitor(tmp_path).check("t", every_ten_minutes, now)
    assert not missed
    assert status.next == NOON + timedelta(hours=3, minutes=10)
    assert ScheduleMonitor(tmp_path).check("t", every_ten_minutes, now + HOUR)[1]


def test_timers_do_not_share_a_status(tmp_path: Path) -> None:
    monitor = ScheduleMonitor(tmp_path)
    monitor.update("one", ScheduleStatus(NOON, NOON + HOUR, NOON))
    assert not monitor.check("two", HOURLY, NOON + 5 * HOUR)[1]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"Last": 1, "Next": 2, "LastUpdated": 3}'])
def test_a_status_that_is_unreadable_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    assert not ScheduleMonitor(tmp_path).check("t", HOURLY, NOON)[1]
    assert ScheduleMonitor(tmp_path).check("t", HOURLY, NOON + 2 * HOUR)[1]


def test_a_status_that_cannot_be_kept_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    ScheduleMonitor(tmp_path / "file").update("t", ScheduleStatus(NOON, NOON + HOUR, NOON))
    assert "cannot keep the timer's status" in caplog.text


@pytest.mark.parametrize("following", [NOON + HOUR, NEVER])
def test_what_is_kept_is_what_the_host_keeps(tmp_path: Path, following: datetime) -> None:
    status = ScheduleStatus(UNSET, following, NOON)
    ScheduleMonitor(tmp_path).update("t", status)
    kept = json.loads((tmp_path / "t.json").read_text())
    assert kept.keys() == {"Last", "Next", "LastUpdated"}
    assert kept["LastUpdated"] == "2024-05-06T12:00:00+00:00"
    assert ScheduleStatus.from_json(kept) == status
