"""`slipway push` of an image of docker or podman: through a relay that is there for this push."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from registry_core.model.manifest import Manifest
from registry_core.model.media_types import MANIFESTS
from slipway_cli.command import CommandError, UsageError
from slipway_cli.output.text import clean
from slipway_cli.push.engines import ENGINES, Engine, EngineFailed, Registry
from slipway_cli.push.pushed import Pushed, target
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.references import Reference
from slipway_cli.relay.door import USERNAME, Door
from slipway_cli.relay.scopes import pushing
from slipway_cli.relay.server import Relay
from slipway_cli.relay.session import Session
from slipway_cli.relay.upstream import Upstream
from slipway_cli.relay.watch import Watch


class _Watch(Watch):
    """Shows layers, and keeps the digest of what was pushed last."""

    digest = ""

    def pushed(self, reference: str, digest: str) -> None:
        """A manifest has arrived: of an index, its own is the last."""
        super().pushed(reference, digest)
        self.digest = digest


@dataclass(frozen=True)
class EnginePush:
    """What is to be done."""

    place: Reference
    images: Sequence[str]
    """What the engine may call the image."""
    engine: str
    """Empty: any that has it."""
    chunk: int | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> EnginePush:
        """As the arguments say. Raises `UsageError`."""
        for option in ("select", "platform", "mount_from"):
            if getattr(arguments, option):
                raise UsageError(f"--{option.replace('_', '-')} needs --archive")
        place = target(arguments.reference or arguments.image, arguments.registry)
        if place.digest:
            raise UsageError(f"{place.short}: what is pushed gets its digest by that: name a tag")
        images = [arguments.image]
        if not arguments.reference:
            images.append(f"{place.server.netloc}/{place.short}")
        return cls(place, images, arguments.engine or "", arguments.chunk)

    async def run(self, sign_in: SignIn) -> Pushed:
        """Pushes it. Raises `CommandError`."""
        engine, image = await _found(self.images, self.engine)
        place = self.place
        how_else = (
            f"`{engine.program} save {image} | slipway push --archive - "
            f"{place.server.netloc}/{place.short}` pushes it from wherever the engine is"
        )
        if where := await engine.address():
            raise CommandError(
                f"{engine.program} speaks to {clean(where)}, which does not see this machine's "
                f"127.0.0.1. {how_else}"
            )
        watch = _Watch()
        try:
            async with Upstream.open(place.server, sign_in, watch.tell, self.chunk) as upstream:
                # Who may not push is told now, and not in the words of an engine.
                await (await Session.begin(upstream, place.repository)).cancel()
                try:
                    await _relayed(Relay(upstream, watch, Door.locked()), engine, image, place)
                except EngineFailed as error:
                    raise CommandError(f"{error}. {how_else}") from error
                pushed = await _look(upstream, place, watch.digest)
            watch.tell(watch.summary())
        finally:
            watch.lines.clear()
        return pushed


async def _found(images: Sequence[str], chosen: str) -> tuple[Engine, str]:
    """The engine that has one of the images, and that one. Raises `CommandError`."""
    failures = []
    for name in [chosen] if chosen else ENGINES:
        engine = ENGINES[name]()
        for image in images:
            try:
                await engine.find(image)
            except EngineFailed as error:
                failures.append(str(error))
            else:
                return engine, image
    raise CommandError(f"no engine has {clean(images[0])}: {'; '.join(failures)}")


async def _relayed(relay: Relay, engine: Engine, image: str, place: Reference) -> None:
    """The image gets a name at the relay's address for as long as it takes."""
    async with relay.listening() as address:
        name = f"{address}/{place.repository}:{place.tag}"
        try:  # Who is interrupted while it is being named may have named it.
            await engine.tag(image, name)
            await engine.push(name, Registry(address, USERNAME, relay.door.password))
        finally:
            with suppress(EngineFailed):
                await engine.untag(name)


async def _look(upstream: Upstream, place: Reference, digest: str) -> Pushed:
    """What the registry has now. Raises `CommandError`."""
    if not digest:
        raise CommandError("the engine says that it has pushed, but no manifest has come")
    path, scope = f"/v2/{place.repository}/manifests/{digest}", pushing(place.repository)
    accepted = {"Accept": ", ".join(sorted(MANIFESTS))}
    answer = await upstream.patiently("GET", path, scope, accepted)
    if answer.status != 200:
        raise upstream.client.refused(answer, scope)
    manifest = Manifest.parse(answer.body, answer.headers.get("content-type"))
    config_type = manifest.config.media_type if manifest.config else ""
    return Pushed(place, digest, manifest.media_type, config_type)
