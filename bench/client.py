"""A client of the registry that does as little as one can: it is not what is measured."""

import base64
import http.client
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.layers import Layer

REPOSITORY = "bench/layers"
_CORRELATION_HEADER = "X-Ms-Correlation-Request-Id"


class UnexpectedAnswerError(Exception):
    """A server refused what it should have taken."""


@dataclass(frozen=True)
class Upload:
    """A layer that was sent and waits for its commit."""

    layer: Layer
    location: str
    seconds: float
    """From the first byte of the `PATCH` to its answer."""
    correlation_id: str
    """Of the `PATCH`."""

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.layer.size / self.seconds


class RegistryClient:
    """Pushes layers as docker does: `POST`, one `PATCH` of unknown length, `PUT`.

    May be used by several threads: each request has a connection of its own.
    """

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.credentials = username, password
        self.address = urlsplit(base_url).netloc
        """Host and port."""
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}"}
        """What every request has to carry."""

    def begin(self) -> str:
        """Begins an upload; answers its location. Raises `UnexpectedAnswerError`."""
        connection = http.client.HTTPConnection(self.address)
        try:
            connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", headers=self.headers)
            return answered(connection, 202)["Location"]
        finally:
            connection.close()

    def send(self, layer: Layer) -> Upload:
        """Begins an upload and streams all of the layer. Raises `UnexpectedAnswerError`."""
        location = self.begin()
        correlation_id = str(uuid.uuid4())
        connection = http.client.HTTPConnection(self.address)
        connection.connect()
        try:
            began = time.perf_counter()
            connection.request(
                "PATCH",
                location,
                body=layer.pieces(),
                headers={
                    **self.headers,
                    "Transfer-Encoding": "chunked",
                    _CORRELATION_HEADER: correlation_id,
                },
                encode_chunked=True,
            )
            location = answered(connection, 202)["Location"]
            return Upload(layer, location, time.perf_counter() - began, correlation_id)
        finally:
            connection.close()

    def commit(self, upload: Upload) -> tuple[float, str]:
        """Commits under the layer's digest; answers the seconds and the request's correlation id.

        Raises `UnexpectedAnswerError`, so also if the registry took in other bytes than were sent.
        """
        digest = upload.layer.digest
        correlation_id = str(uuid.uuid4())
        connection = http.client.HTTPConnection(self.address)
        connection.connect()
        try:
            began = time.perf_counter()
            connection.request(
                "PUT",
                f"{upload.location}&digest={digest}",
                headers={**self.headers, _CORRELATION_HEADER: correlation_id},
            )
            answered(connection, 201)
            return time.perf_counter() - began, correlation_id
        finally:
            connection.close()


def answered(connection: http.client.HTTPConnection, status: int) -> http.client.HTTPMessage:
    """The headers of the answer, which must have this status. Raises `UnexpectedAnswerError`."""
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    if answer.status != status:
        raise UnexpectedAnswerError(f"{answer.status} instead of {status}: {text}")
    return answer.headers
