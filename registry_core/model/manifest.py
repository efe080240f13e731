"""Manifests: what of them the registry must understand to store, protect and list them.

The bytes are never changed; this module only reads them (OCI image-spec, manifest.md and
image-index.md; "Image Manifest Version 2, Schema 2" of CNCF distribution).
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeGuard

from registry_core.errors import DigestInvalid, ManifestInvalid
from registry_core.model import media_types
from registry_core.model.digest import Digest

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""The largest manifest accepted (distribution-spec, "Pushing Manifests"; ACR's limit too)."""
MAX_DESCRIPTORS = 2000
"""The most layers or children of one manifest: each costs storage calls when it is pushed."""
MAX_VALUES = 50_000
"""The most objects and lists in one manifest: 2,000 full descriptors have a fifth of that."""
MAX_MEMBERS = 100_000
"""The most members they have together: 2,000 full descriptors have a fifth of that."""
MAX_DEPTH = 100
"""How deep they may be nested: the same whatever Python does with it."""
_MAX_SIZE = 2**63 - 1
_MAX_ANNOTATIONS = 10_000
_MAX_TYPE_LENGTH = 255
"""RFC 6838, 4.2: a type and a subtype of at most 127 characters each."""


@dataclass(frozen=True)
class Platform:
    """What an image runs on (image-spec, config.md and image-index.md, `platform`)."""

    os: str = ""
    architecture: str = ""
    os_version: str = ""
    variant: str = ""


@dataclass(frozen=True)
class Descriptor:
    """A reference to content: media type, digest, size in bytes (image-spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: int | None
    """None where it is not told, as some writers of configs don't."""
    urls: tuple[str, ...] = ()

    @property
    def need_not_be_pushed(self) -> bool:
        """Whether it lies elsewhere: a foreign (Windows) or non-distributable layer."""
        return bool(self.urls) or self.media_type.lower() in media_types.NOT_PUSHED_LAYERS

    @property
    def is_image_config(self) -> bool:
        """Whether it is the config of an image, which tells its platform."""
        return self.media_type.lower() in media_types.IMAGE_CONFIGS


@dataclass(frozen=True)
class Manifest:
    """An image manifest or an index, parsed from the bytes that `digest` names."""

    content: bytes
    digest: Digest
    media_type: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, each digest once: as one that must be pushed, if one of them must."""
        every = ((replace(self.config, urls=()),) if self.config else ()) + self.layers
        found: dict[Digest, Descriptor] = {}
        for descriptor in every:
            if not descriptor.need_not_be_pushed or descriptor.digest not in found:
                found[descriptor.digest] = descriptor
        return tuple(found.values())

    @property
    def image_size(self) -> int:
        """The sizes of config and layers added up, in bytes, as ACR reports `imageSize`."""
        parts = (self.config, *self.layers) if self.config else self.layers
        return min(sum(part.size or 0 for part in parts), _MAX_SIZE)

    @classmethod
    def parse(cls, content: bytes, content_type: str | None, algorithm: str = "sha256") -> Manifest:
        """The manifest in `content`, sent as `content_type`, digested by `algorithm`.

        Raises `ManifestInvalid`: not JSON, a type that contradicts the shape or the header
        (CVE-2021-41190), a descriptor that is none.
        """
        _check_sent(content_type)
        document = _load(content)
        media_type = _media_type(document, content_type)
        _check_shape(document, media_type)
        config = _optional_descriptor(document, "config")
        artifact_type = _type(document.get("artifactType"), "artifactType")
        if not artifact_type and config and media_type in media_types.IMAGE_MANIFESTS:
            artifact_type = config.media_type
        layers, children = _descriptors(document, "layers"), _descriptors(document, "manifests")
        _check_sizes((config, *layers, *children))
        return cls(
            content=content,
            digest=Digest.of(content, algorithm),
            media_type=media_type,
            config=config,
            layers=layers,
            children=children,
            subject=_optional_descriptor(document, "subject"),
            artifact_type=artifact_type,
            annotations=_annotations(document),
        )


@dataclass(frozen=True)
class References:
    """What a stored manifest refers to, by digest."""

    blobs: tuple[Digest, ...] = ()
    children: tuple[Digest, ...] = ()
    subject: Digest | None = None

    @classmethod
    def read(cls, content: bytes) -> References:
        """The references of a manifest that was accepted once, whatever would be refused today.

        A manifest that could be pushed can be deleted, by a later release too.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(document, dict):
            return cls()
        config, layers = _digests([document.get("config")]), _digests(document.get("layers"))
        subjects = _digests([document.get("subject")], Digest.parse_foreign)
        children = _digests(document.get("manifests"), Digest.parse_foreign)
        blobs = tuple(dict.fromkeys((*config, *layers)))
        return cls(blobs, tuple(dict.fromkeys(children)), subjects[0] if subjects else None)


def _digests(descriptors: object, parse: Callable[[str], Digest] = Digest.parse) -> list[Digest]:
    """Those of what are descriptors."""
    found = []
    for descriptor in descriptors if isinstance(descriptors, list) else ():
        text = descriptor.get("digest") if isinstance(descriptor, dict) else None
        with contextlib.suppress(DigestInvalid):
            found.append(parse(text if isinstance(text, str) else ""))
    return found


def parse_platform(config: bytes) -> Platform:
    """The platform that an image's config names; empty where it names none or is not JSON."""
    try:
        document = json.loads(config)
    except (ValueError, RecursionError):
        return Platform()
    if not isinstance(document, dict):
        return Platform()
    keys = ("os", "architecture", "os.version", "variant")
    values = (document.get(key) for key in keys)
    return Platform(*(value[:256] if _is_plain(value) else "" for value in values))


def _invalid(reason: str) -> NoReturn:
    raise ManifestInvalid(f"manifest invalid: {reason}", detail={"reason": reason})


_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_PROPERTIES = (
    "schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "fsLayers",
    "subject", "annotations", "digest", "size", "urls", "data", "platform",
)  # fmt: skip
_FOLDED = {name.casefold(): name for name in _PROPERTIES}


def _check_sent(content_type: str | None) -> None:
    """Refuses what can't be a manifest before it is parsed, which takes time."""
    sent = _sent(content_type)
    if sent and sent not in media_types.MANIFESTS:
        _invalid(f"{sent[:100]} is not the media type of an image manifest or an index")


def _sent(content_type: str | None) -> str:
    """The media type in a header, in lower case; empty without one."""
    return (content_type or "").partition(";")[0].strip().lower()


def _check_structure(content: bytes) -> None:
    """Bounds what parsing costs: nobody else is served meanwhile."""
    bare = _STRING.sub(b"", content)
    if bare.count(b"[") + bare.count(b"{") > MAX_VALUES:
        _invalid(f"it has more than {MAX_VALUES} objects and lists")
    if bare.count(b",") > MAX_MEMBERS:
        _invalid(f"its objects and lists have more than {MAX_MEMBERS} members")
    depth = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            _invalid(f"it is nested more than {MAX_DEPTH} levels deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ: of equal ones, each reader takes another (CVE-2021-41190)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        _invalid("an object has a property twice")
    return found


def _check_names(document: dict[str, Any], where: str) -> None:
    """Refuses `Layers` for `layers`: readers that fold case would take it for that."""
    for name in document:
        known = _FOLDED.get(name.casefold(), name)
        if known != name:
            _invalid(f"{where} has {name[:40]}, which must be written {known}")


def _load(content: bytes) -> dict[str, Any]:
    _check_structure(content)
    try:
        document = json.loads(
            content.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except UnicodeDecodeError:
        _invalid("it is not UTF-8")
    except RecursionError:
        _invalid("it is nested too deeply")
    except ValueError:
        _invalid("it is not JSON")
    if not isinstance(document, dict):
        _invalid("it is not a JSON object")
    _check_names(document, "it")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _media_type(document: dict[str, Any], content_type: str | None) -> str:
    declared = _type(document.get("mediaType"), "mediaType").lower()
    sent = _sent(content_type)
    if declared and sent and declared != sent:
        _invalid(f"its mediaType is {declared[:100]}, but Content-Type says {sent[:100]}")
    media_type = sent or declared
    if not media_type:
        media_type = media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST
    if media_type not in media_types.MANIFESTS:
        _invalid(f"{media_type[:100]} is not the media type of an image manifest or an index")
    return media_type


def _check_shape(document: dict[str, Any], media_type: str) -> None:
    version = document.get("schemaVersion")
    if not isinstance(version, int) or version != 2:
        _invalid("its schemaVersion is not 2")
    is_index = media_type in media_types.INDEXES
    required = ("manifests",) if is_index else ("config", "layers")
    foreign = ("config", "layers", "fsLayers") if is_index else ("manifests", "fsLayers")
    for key in required:
        if key not in document or (key == "config" and document[key] is None):
            _invalid(f"a {media_type} needs the property {key}")
    for key in foreign:
        if document.get(key) is not None:
            _invalid(f"a {media_type} must not have the property {key}")


def _is_plain(value: object) -> TypeGuard[str]:
    """Whether it is text without control characters and lone surrogates, which rows can't hold."""
    return isinstance(value, str) and value.isprintable()


def _type(value: object, where: str) -> str:
    """A media type or artifact type; empty where there is none.

    Here as everywhere `null` is a member that is absent: "Any OPTIONAL field MAY also be set to
    null, which is equivalent to being absent" (image-spec, config.md).
    """
    if value is None:
        return ""
    if not _is_plain(value) or len(value) > _MAX_TYPE_LENGTH:
        _invalid(f"{where} is not a media type")
    return value


def _is_encodable(text: str) -> bool:
    """Whether it is Unicode: JSON can spell lone surrogates, which are not (RFC 8259, 8.2)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _annotations(document: dict[str, Any]) -> dict[str, str]:
    value = document.get("annotations")
    value = {} if value is None else value
    if not isinstance(value, dict):
        _invalid("annotations are not a map of strings")
    value = {key: text for key, text in value.items() if text is not None}
    if not all(isinstance(text, str) for text in value.values()):
        _invalid("annotations are not a map of strings")
    if len(value) > _MAX_ANNOTATIONS:
        _invalid(f"it has more than {_MAX_ANNOTATIONS} annotations")
    if not all(_is_encodable(key) and _is_encodable(text) for key, text in value.items()):
        _invalid("annotations are not Unicode")
    return value


def _descriptors(document: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    value = document.get(key)
    value = [] if value is None else value
    if not isinstance(value, list):
        _invalid(f"{key} is not a list")
    if len(value) > MAX_DESCRIPTORS:
        _invalid(f"{key} has more than {MAX_DESCRIPTORS} entries")
    parse = Digest.parse_foreign if key == "manifests" else Digest.parse
    return tuple(_descriptor(item, f"{key}[{index}]", parse) for index, item in enumerate(value))


def _optional_descriptor(document: dict[str, Any], key: str) -> Descriptor | None:
    value = document.get(key)
    parse = Digest.parse_foreign if key == "subject" else Digest.parse
    return None if value is None else _descriptor(value, key, parse)


def _descriptor(value: object, where: str, parse: Callable[[str], Digest]) -> Descriptor:
    """A descriptor whose digest `parse` reads: content that must be here has a registered one."""
    if not isinstance(value, dict):
        _invalid(f"{where} is not a descriptor")
    _check_names(value, where)
    digest = value.get("digest")
    media_type = _type(value.get("mediaType"), f"the mediaType of {where}")
    if not isinstance(digest, str):
        _invalid(f"{where} is not a descriptor")
    urls = value.get("urls")
    urls = [] if urls is None else urls
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        _invalid(f"the urls of {where} are not a list of strings")
    try:
        parsed = parse(digest)
    except DigestInvalid:
        _invalid(f"the digest of {where} is not valid")
    size = _size(value, where)
    _check_data(value, parsed, size, where)
    return Descriptor(media_type, parsed, size, tuple(filter(None, urls)))


def _size(descriptor: dict[str, Any], where: str) -> int | None:
    size = descriptor.get("size")
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        _invalid(f"the size of {where} is not a number of bytes")
    return size


def _check_sizes(descriptors: Iterable[Descriptor | None]) -> None:
    """Refuses two sizes of one content."""
    found: dict[Digest, int] = {}
    for descriptor in descriptors:
        if descriptor is None or descriptor.size is None:
            continue
        if found.setdefault(descriptor.digest, descriptor.size) != descriptor.size:
            _invalid(f"{descriptor.digest} has two sizes")


def _check_data(descriptor: dict[str, Any], digest: Digest, size: int | None, where: str) -> None:
    """Refuses embedded content that is not what the descriptor says it is.

    See image-spec, descriptor.md, `data`: base64 as in RFC 4648, 4.
    """
    data = descriptor.get("data")
    if data is None:
        return
    try:
        content = base64.b64decode(data if isinstance(data, str) else "?", validate=True)
    except ValueError:
        _invalid(f"the data of {where} is not base64")
    is_other = digest.is_registered and Digest.of(content, digest.algorithm) != digest
    if size not in (None, len(content)) or is_other:
        _invalid(f"the data of {where} does not match its digest and size")
