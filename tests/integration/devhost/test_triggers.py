"""Timer and queue triggers in a real host, whose functions crash, hang and die."""

import base64
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.patience import PATIENCE

APP = Path(__file__).parent / "triggers"


class Scene:
    """The app of these tests, with a queue of its own, and all that its functions note."""

    def __init__(self, directory: Path, azurite: Azurite, **client: Any) -> None:
        self._client = client
        self.directory = directory
        self.name = f"q-{uuid.uuid4()}"
        self._connection = azurite.connection_string
        self._events = directory / "events"
        self.environment = {
            "DATA_DIR": str(directory / "data"),
            "EVENTS": str(self._events),
            "EVERY_SECOND": "* * * * * *",
            "QUEUE": self.name,
            "RegistryStorage": "none",
            "Work": azurite.connection_string,
        }

    def host(self, **environment: str) -> HostProcess:
        return HostProcess(APP, self.environment | environment)

    def queue(self, suffix: str = "") -> QueueClient:
        return QueueClient.from_connection_string(
            self._connection, self.name + suffix, **self._client
        )

    def send(self, *todos: str, suffix: str = "") -> None:
        with self.queue(suffix) as queue:
            for todo in todos:
                queue.send_message(base64.b64encode(todo.encode()).decode())

    def noted(self, function: str, **facts: object) -> list[dict[str, Any]]:
        """What was noted of a function with all of these facts, in order."""
        if not self._events.exists():
            return []
        events = [json.loads(line) for line in self._events.read_text().splitlines()]
        expected = {"function": function, **facts}
        return [event for event in events if expected.items() <= event.items()]

    def buried(self) -> list[str]:
        """The contents of the poison queue."""
        with self.queue("-poison") as poison:
            try:
                return [message.content for message in poison.peek_messages(32)]
            except ResourceNotFoundError:
                return []

    def is_empty(self) -> bool:
        with self.queue() as queue:
            return queue.get_queue_properties().approximate_message_count == 0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to this"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, azurite: Azurite) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"), azurite)


@pytest.fixture(scope="module")
def host(scene: Scene) -> Iterator[HostProcess]:
    with scene.host() as process:
        yield process


@pytest.fixture
def own_scene(tmp_path: Path, azurite: Azurite) -> Scene:
    return Scene(tmp_path, azurite)


def test_the_start_tells_of_timers_with_their_next_time_and_of_queues(
    scene: Scene, host: HostProcess
) -> None:
    year = datetime.now(UTC).year + 1
    assert f"Timer yearly (0 0 0 1 1 *): next {year}-01-01 00:00:00 UTC" in host.output
    assert "Timer crashing (* * * * * *): next " in host.output
    assert f"Queue {scene.name}: work\n" in host.output
    assert f"Queue {scene.name}-sync: work_in_thread\n" in host.output
    assert "Not run here" not in host.output


def test_a_timer_whose_function_crashes_comes_again_each_second(
    scene: Scene, host: HostProcess
) -> None:
    until(lambda: len(scene.noted("crashing")) >= 2)
    seconds = [int(event["at"]) for event in scene.noted("crashing")]
    assert seconds == sorted(set(seconds))
    until(lambda: "ValueError: on purpose" in host.output)
    until(lambda: "SystemExit: on purpose" in host.output)


def test_a_timer_that_says_so_runs_on_startup(scene: Scene, host: HostProcess) -> None:
    until(lambda: scene.noted("yearly"))
    (event,) = scene.noted("yearly")
    assert not event["past_due"]
    assert not event["in_main_thread"]
    assert event["status"]["Next"] == f"{datetime.now(UTC).year + 1}-01-01T00:00:00+00:00"


@pytest.mark.parametrize("todo", ["fail", "exit"])
def test_a_message_that_crashes_its_function_each_time_is_poison_unchanged(
    scene: Scene, host: HostProcess, todo: str
) -> None:
    todo = f"{todo} {uuid.uuid4()}"
    scene.send(todo)
    encoded = base64.b64encode(todo.encode()).decode()
    until(lambda: len(scene.noted("work", todo=todo)) >= 3)
    until(lambda: encoded in scene.buried())
    until(scene.is_empty)
    assert [event["dequeue_count"] for event in scene.noted("work", todo=todo)] == [1, 2, 3]


def test_functions_that_never_return_hold_up_nothing_not_even_the_end(own_scene: Scene) -> None:
    with own_scene.host() as host:
        own_scene.send("never", suffix="-sync")
        own_scene.send("hang")
        until(lambda: own_scene.noted("work", todo="hang"))
        until(lambda: own_scene.noted("work_in_thread"))
        own_scene.send("go")
        until(lambda: own_scene.noted("done", todo="go"))
        ticks = len(own_scene.noted("crashing"))
        until(lambda: len(own_scene.noted("crashing")) > ticks)
        os.kill(host.pid, signal.SIGTERM)
        until(lambda: host.exit_status is not None)
        assert host.exit_status == 0
    # What hung is still there, for the next host.
    assert not own_scene.is_empty()


def test_messages_whose_host_was_killed_are_delivered_again_after_their_lease(
    own_scene: Scene,
) -> None:
    def deliveries(todo: str) -> list[int]:
        return [event["dequeue_count"] for event in own_scene.noted("work", todo=todo)]

    todos = ("hang", "die")
    with own_scene.host(LEASE_SECONDS="2") as host:
        own_scene.send("hang")
        until(lambda: own_scene.noted("work"))
        own_scene.send("die")
        until(lambda: host.exit_status is not None)
        assert host.exit_status == -signal.SIGKILL
    before = {todo: deliveries(todo) for todo in todos}
    with own_scene.host():
        until(lambda: len(own_scene.noted("done")) == 2)
        until(own_scene.is_empty)
    for todo in todos:
        # Once more, and counted on.
        assert deliveries(todo) == [*before[todo], before[todo][-1] + 1]


def test_a_function_that_blocks_the_event_loop_does_not_keep_the_host_from_ending(
    own_scene: Scene,
) -> None:
    with own_scene.host() as host:
        own_scene.send("block")
        until(lambda: own_scene.noted("work"))
        os.kill(host.pid, signal.SIGINT)
        until(lambda: host.exit_status is not None)


def test_with_a_certificate_the_host_trusts_queues_that_have_it_too(
    tmp_path: Path,
) -> None:
    certificates = CertificateDirectory(tmp_path / "certs")
    certificates.ensure()
    tls = {"TLS_CERT": str(certificates.certificate), "TLS_KEY": str(certificates.key)}
    with Azurite(
        tmp_path / "azurite", certificate=certificates.certificate, key=certificates.key
    ) as own_azurite:
        scene = Scene(tmp_path, own_azurite, connection_verify=str(certificates.authority))
        with scene.host(**tls):
            scene.send("go")
            until(lambda: scene.noted("done", todo="go"))
            until(scene.is_empty)


def test_a_time_missed_while_no_host_ran_is_made_up_for_as_past_due(own_scene: Scene) -> None:
    """Of a timer whose last call is noted to be two years ago."""
    year = datetime.now(UTC).year
    status = {
        "Last": f"{year - 2}-01-01T00:00:00+00:00",
        "Next": f"{year - 1}-01-01T00:00:00+00:00",
        "LastUpdated": f"{year - 2}-01-01T00:00:00+00:00",
    }
    file = own_scene.directory / "data" / "timers" / "yearly.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(status))
    with own_scene.host():
        until(lambda: json.loads(file.read_text()) != status)
    assert [event["past_due"] for event in own_scene.noted("yearly")] == [True]
    assert json.loads(file.read_text())["Next"] == f"{year + 1}-01-01T00:00:00+00:00"
