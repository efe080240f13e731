"""The host takes messages of the queue to which the registry sends, and hands them to it."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName
from registry_core.repositories.messages import QUEUE
from tests.integration.core.support import digest_of
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PASSWORD = secrets.token_urlsafe(32)


@pytest.fixture
def azurite(tmp_path: Path) -> Iterator[Azurite]:
    with Azurite(tmp_path / "azurite") as running:
        yield running


def test_a_message_that_is_due_is_done_by_the_registry_and_what_is_young_waits_again(
    azurite: Azurite,
) -> None:
    content, repository = secrets.token_bytes(100), "team/web"
    settings = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
    }
    queue = QueueClient.from_connection_string(
        azurite.connection_string, QUEUE, message_encode_policy=TextBase64EncodePolicy()
    )
    with HostProcess(ROOT, settings) as host, queue:
        assert f"Queue {QUEUE}: take_message" in host.output
        with httpx.Client(base_url=host.base_url, auth=("admin", PASSWORD), timeout=60) as client:
            url = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
            assert client.post(url, content=content).status_code == 201
        due = datetime.now(UTC)
        digests = (Digest.parse(digest_of(content)),)
        message = Message(Kind.FREED, RepositoryName(repository), digests, due)
        queue.send_message(str(message), time_to_live=-1)
        deadline = time.monotonic() + PATIENCE
        while "take_message: done" not in host.output:
            assert time.monotonic() < deadline, host.output
            time.sleep(0.02)
        (line,) = re.findall(r'\{"Category": "Collection".*\}', host.output)
        told = json.loads(line)
        assert (told["Repository"], told["Later"]) == (repository, 1)
        # The link, and what it links.
        assert told["Kept"] == {"young": 1, "needed": 1}
        # Nothing can be seen: the next one is hidden until the link is a day old.
        assert list(queue.receive_messages()) == []
        assert queue.get_queue_properties().approximate_message_count == 1
        assert "Traceback" not in host.output
