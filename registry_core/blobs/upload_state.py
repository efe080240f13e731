"""The state of an upload, which travels with the client in the session's URL.

A session costs no storage call until bytes arrive, and any instance can take the next request.
The state is sealed with AES-256-GCM under a key that all instances share; the repository's name is
the associated data, so a state is good for its repository only. It must be encrypted and not just
signed: a saved hash holds up to 127 bytes of what was uploaded.

    token  = base64url( version:1 | key number:1 | nonce:12 | AES-GCM( body ) )
    body   = upload id:16 | day:4 | upload nonce:16 | expiry:8 | offset:8
             | length:1, ETag | count:1, ( length:2, saved hash )*
"""

from __future__ import annotations

import dataclasses
import secrets
import struct
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry_core.blobs import rows as blob_rows
from registry_core.errors import BlobUploadUnknown
from registry_core.model.names import RepositoryName

_VERSION = 1
_PREFIX = struct.Struct(">BB12s")
_BODY = struct.Struct(">16sI16sQQ")
_MAX_TOKEN = 2048


@dataclass(frozen=True)
class UploadState:
    """Where an upload stands, as far as whoever holds the state knows."""

    upload_id: uuid.UUID
    day: date
    """The day it began, which is part of the object's name."""
    nonce: bytes
    """Proves that the object at that name is this upload's: its metadata holds it."""
    expires: int
    """Seconds since 1970."""
    offset: int = 0
    """Bytes received."""
    etag: str = ""
    """The object's version after them; empty before the first byte."""
    hashes: tuple[bytes, ...] = ()
    """Saved hashes, each of a beginning of the content, as a rule of all of it."""

    @property
    def object_name(self) -> str:
        """The object that the upload writes."""
        return blob_rows.upload_object(self.day, self.upload_id)

    def at(self, offset: int, etag: str, hashes: tuple[bytes, ...]) -> UploadState:
        """The same upload further on."""
        return dataclasses.replace(self, offset=offset, etag=etag, hashes=hashes)


class StateSealer:
    """Turns states into tokens and back."""

    def __init__(
        self,
        upload_keys: Mapping[int, bytes],
        expiry: timedelta,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ciphers = {number: AESGCM(key) for number, key in upload_keys.items()}
        self._newest = max(self._ciphers)
        self._expiry = int(expiry.total_seconds())
        self._now = now

    def begin(self, hashes: tuple[bytes, ...]) -> UploadState:
        """A new upload, with the saved hashes of no bytes."""
        now = self._now()
        day = datetime.fromtimestamp(now, UTC).date()
        nonce = secrets.token_bytes(16)
        return UploadState(uuid.uuid4(), day, nonce, int(now) + self._expiry, hashes=hashes)

    def seal(self, state: UploadState, repository: RepositoryName) -> str:
        """The token for the URL. Sealing prolongs the state: the session is in use."""
        etag = state.etag.encode()
        body = _BODY.pack(
            state.upload_id.bytes,
            state.day.toordinal(),
            state.nonce,
            int(self._now()) + self._expiry,
            state.offset,
        )
        body += struct.pack(">B", len(etag)) + etag + struct.pack(">B", len(state.hashes))
        for saved in state.hashes:
            body += struct.pack(">H", len(saved)) + saved
        nonce = secrets.token_bytes(12)
        prefix = _PREFIX.pack(_VERSION, self._newest, nonce)
        sealed = self._ciphers[self._newest].encrypt(nonce, body, _associated(prefix, repository))
        return _encoded(prefix + sealed)

    def open(self, token: str, upload_id: str, repository: RepositoryName) -> UploadState:
        """The state in `token`, sent for the session `upload_id` of `repository`.

        Raises `BlobUploadUnknown` for a token that is malformed, altered, expired, of a key that
        is gone, or of another session or repository.
        """
        if not token or len(token) > _MAX_TOKEN:
            raise BlobUploadUnknown
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            version, number, nonce = _PREFIX.unpack_from(sealed)
            # Base64 has several spellings of the same bytes; just the one we wrote is taken.
            if version != _VERSION or _encoded(sealed) != token:
                raise BlobUploadUnknown
            prefix = sealed[: _PREFIX.size]
            body = self._ciphers[number].decrypt(
                nonce, sealed[_PREFIX.size :], _associated(prefix, repository)
            )
        except (Base64Error, ValueError, struct.error, KeyError, InvalidTag) as error:
            raise BlobUploadUnknown from error
        state = _unpack(body)
        if str(state.upload_id) != upload_id.lower() or state.expires <= self._now():
            raise BlobUploadUnknown
        return state


def _encoded(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def _associated(prefix: bytes, repository: RepositoryName) -> bytes:
    return prefix + repository.text.encode()


def _unpack(body: bytes) -> UploadState:
    """The state in a body that this registry sealed: its layout needs no suspicion."""
    upload_id, day, nonce, expires, offset = _BODY.unpack_from(body)
    position = _BODY.size
    etag_end = position + 1 + body[position]
    etag = body[position + 1 : etag_end].decode()
    hashes = []
    position = etag_end + 1
    for _ in range(body[etag_end]):
        (length,) = struct.unpack_from(">H", body, position)
        hashes.append(body[position + 2 : position + 2 + length])
        position += 2 + length
    return UploadState(
        uuid.UUID(bytes=upload_id),
        date.fromordinal(day),
        nonce,
        expires,
        offset,
        etag,
        tuple(hashes),
    )
