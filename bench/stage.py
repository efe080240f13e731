"""Where measurements take place: an Azurite, and two devhosts that serve the registry from it."""

import contextlib
import json
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.client import RegistryClient, Upload
from bench.layers import MIB, Layer
from bench.machine import processor_seconds
from bench.meter import Meter
from bench.raw import RawAppends
from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess

_ROOT = Path(__file__).resolve().parents[1]
_USERNAME = "admin"


@dataclass(frozen=True)
class Commit:
    """What the commit of an upload took."""

    size: int
    """Of the layer, in bytes."""
    seconds: float
    processor_seconds: float
    """Of the registry and storage; 0 where the system does not tell."""
    storage_calls: int
    storage_rounds: int
    storage_bytes: int
    """All that passed between the registry and storage, in both directions, headers included."""


class Stage:
    """The processes of one run.

    One instance takes in layers. Another commits them, with a meter between it and storage: any
    instance can go on with an upload, and so the meter stands in nobody's way.
    """

    def __init__(
        self,
        azurite: Azurite,
        receiving: HostProcess,
        committing: HostProcess,
        meters: tuple[Meter, ...],
        password: str,
    ) -> None:
        self.azurite = azurite
        self.receiving = receiving
        self.raw = RawAppends(azurite)
        self._meters = meters
        self.committing = committing
        self.receiver = RegistryClient(receiving.base_url, _USERNAME, password)
        """A client of `receiving`."""
        self._committer = RegistryClient(committing.base_url, _USERNAME, password)

    def commit(self, upload: Upload) -> Commit:
        """Commits it, alone at the time. Raises `UnexpectedAnswerError`."""
        before, busy_before = self._metered(), self._busy()
        seconds, correlation_id = self._committer.commit(upload)
        moved, busy = self._metered() - before, self._busy() - busy_before
        line = _log_line(self.committing, correlation_id)
        return Commit(
            upload.layer.size,
            seconds,
            busy,
            line["StorageCalls"],
            line["StorageRounds"],
            moved,
        )

    def storage_share(self, upload: Upload) -> float:
        """For which share of the upload's `PATCH` the registry had a storage call under way."""
        line = _log_line(self.receiving, upload.correlation_id)
        return float(line["StorageMs"]) / float(line["DurationMs"])

    def _busy(self) -> float:
        return processor_seconds((self.committing.pid, self.azurite.pid))

    @property
    def blob_bytes(self) -> int:
        """All that has passed between `committing` and blob storage, in both directions."""
        return self._meters[0].bytes

    def _metered(self) -> int:
        return sum(meter.bytes for meter in self._meters)


def _log_line(host: HostProcess, correlation_id: str) -> dict[str, Any]:
    """What the registry logged of a request, before it answered: the line that has its figures."""
    for line in host.output.splitlines():
        if correlation_id in line:
            entry: dict[str, Any] = json.loads(line[line.index("{") :])
            return entry
    raise LookupError(f"no log line of request {correlation_id}")


@contextlib.contextmanager
def staged(request_log: str = "all") -> Iterator[Stage]:
    """Sets the stage, warmed up, in a temporary folder; all of it is gone afterwards.

    `request_log` is the setting `REGISTRY_REQUEST_LOG` of its instances.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        azurite = stack.enter_context(Azurite(folder))
        blob, table = Meter(azurite.blob_port), Meter(azurite.table_port)
        stack.enter_context(blob)
        stack.enter_context(table)
        metered = azurite.connection_string.replace(f":{azurite.blob_port}/", f":{blob.port}/")
        metered = metered.replace(f":{azurite.table_port}/", f":{table.port}/")
        password = secrets.token_urlsafe(32)
        receiving, committing = (
            stack.enter_context(
                HostProcess(
                    _ROOT,
                    {
                        "RegistryStorage": storage,
                        "REGISTRY_ADMIN_USER_ENABLED": "true",
                        "REGISTRY_ADMIN_USERNAME": _USERNAME,
                        "REGISTRY_ADMIN_PASSWORD": password,
                        "REGISTRY_RATE_LIMITS": "off",
                        "REGISTRY_REQUEST_LOG": request_log,
                        # In Azure the host looks at the queue, in a process of its own; devhost
                        # does so in the registry's, with a package that takes 8 MB.
                        "AzureWebJobs.take_message.Disabled": "true",
                    },
                )
            )
            for storage in (azurite.connection_string, metered)
        )
        stage = Stage(azurite, receiving, committing, (blob, table), password)
        # Less than a block: what a block takes must be seen as growth.
        stage.commit(stage.receiver.send(Layer(MIB)))
        yield stage
