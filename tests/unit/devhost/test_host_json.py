import json
from datetime import timedelta
from pathlib import Path

import pytest

from devhost.errors import AppError
from devhost.host_json import HostJson, QueuesOptions


def read(directory: Path, document: object) -> HostJson:
    (directory / "host.json").write_text(json.dumps(document))
    return HostJson.read(directory)


def queues(directory: Path, section: object) -> QueuesOptions:
    return read(directory, {"extensions": {"queues": section}}).queues


@pytest.mark.parametrize(
    "bundle", [{"id": "x"}, {"version": "[4.*, 5.0.0)"}, {"id": 1, "version": 2}]
)
def test_an_extension_bundle_has_an_id_and_a_version(tmp_path: Path, bundle: object) -> None:
    with pytest.raises(AppError, match="extensionBundle must have an id and a version"):
        read(tmp_path, {"extensionBundle": bundle})


def test_everything_has_a_default(tmp_path: Path) -> None:
    host = HostJson.read(tmp_path)
    assert host.route_prefix == "api"
    assert host.queues == QueuesOptions(
        batch_size=16,
        new_batch_threshold=8,
        visibility_timeout=timedelta(0),
        max_dequeue_count=5,
        max_polling_interval=timedelta(seconds=2),
        base64=True,
    )


def test_what_is_given_is_taken(tmp_path: Path) -> None:
    section = {
        "batchSize": 32,
        "newBatchThreshold": 0,
        "visibilityTimeout": "1.02:03:04.5",
        "maxDequeueCount": 1,
        "maxPollingInterval": "00:00:00.100",
        "messageEncoding": "None",
    }
    assert queues(tmp_path, section) == QueuesOptions(
        batch_size=32,
        new_batch_threshold=0,
        visibility_timeout=timedelta(days=1, hours=2, minutes=3, seconds=4.5),
        max_dequeue_count=1,
        max_polling_interval=timedelta(milliseconds=100),
        base64=False,
    )


def test_a_new_batch_is_fetched_at_half_of_one_unless_host_json_says_otherwise(
    tmp_path: Path,
) -> None:
    assert queues(tmp_path, {"batchSize": 5}).new_batch_threshold == 2


@pytest.mark.parametrize(
    ("given", "seconds"), [("00:01:00", 2), ("00:00:30", 30), ("00:05:00", 300)]
)
def test_the_default_polling_interval_is_shortened_as_in_a_development_environment(
    tmp_path: Path, given: str, seconds: int
) -> None:
    options = queues(tmp_path, {"maxPollingInterval": given})
    assert options.max_polling_interval == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batchSize", 0),
        ("batchSize", 33),
        ("batchSize", "8"),
        ("batchSize", True),
        ("newBatchThreshold", -1),
        ("maxDequeueCount", 0),
        ("maxPollingInterval", "00:00:00.05"),
        ("maxPollingInterval", 5),
        ("visibilityTimeout", "30"),
        ("visibilityTimeout", "00:00:60"),
        ("visibilityTimeout", "24:00:00"),
        ("visibilityTimeout", "-00:00:01"),
        ("visibilityTimeout", "7.00:00:01"),
        ("messageEncoding", "utf8"),
        ("messageEncoding", None),
    ],
)
def test_a_value_the_host_would_not_take_is_named(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(AppError, match=f"extensions.queues.{name}"):
        queues(tmp_path, {name: value})


@pytest.mark.parametrize("document", [{"extensions": []}, {"extensions": {"queues": 1}}, []])
def test_a_section_that_is_no_object_is_refused(tmp_path: Path, document: object) -> None:
    with pytest.raises(AppError, match=r"host\.json"):
        read(tmp_path, document)
