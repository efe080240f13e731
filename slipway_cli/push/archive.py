"""`slipway push --archive`: an archive or a folder, without an engine."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from slipway_cli.command import UsageError
from slipway_cli.output.transfers import Transfers
from slipway_cli.push import docker_archive, layout
from slipway_cli.push.archives.contents import Contents
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.archives.opening import STANDARD_INPUT, contents_of, opened
from slipway_cli.push.archives.sources import Flow
from slipway_cli.push.arriving import Arrival, left_over
from slipway_cli.push.destination import Destination
from slipway_cli.push.plan import Plan, Wanted
from slipway_cli.push.pushed import Pushed, target
from slipway_cli.push.sending import Sender
from slipway_cli.registry import references
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.references import Reference
from slipway_cli.relay.upstream import Upstream


@dataclass(frozen=True)
class ArchivePush:
    """What is to be done."""

    place: Reference
    wanted: Wanted
    source: Path | Flow
    sources: Sequence[str]
    """The repositories from which blobs may be mounted."""
    chunk: int | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> ArchivePush:
        """As the arguments say. Raises `UsageError` and `ArchiveError`."""
        if arguments.reference or arguments.engine:
            raise UsageError(
                "--archive: name where to push, and no image or engine of this machine"
            )
        if arguments.archive == STANDARD_INPUT and arguments.password_stdin:
            raise UsageError("--password-stdin: standard input has the archive already")
        return cls(
            target(arguments.image, arguments.registry),
            Wanted(arguments.select or "", arguments.platform or ""),
            opened(arguments.archive),
            arguments.mount_from or (),
            arguments.chunk,
        )

    async def run(self, sign_in: SignIn) -> Pushed:
        """Pushes it. Raises `CommandError`."""
        server = self.place.server
        with Transfers() as transfers:
            async with Upstream.open(server, sign_in, transfers.tell, self.chunk) as upstream:
                destination = Destination(upstream, self.place.repository, self.sources)
                pushing = _Pushing(self.place, self.wanted, destination, transfers)
                if isinstance(self.source, Path):
                    plan = await pushing.what_is_stored(self.source)
                else:
                    plan = await pushing.what_flows(self.source)
            transfers.tell(transfers.summary("blob"))
        root = plan.root
        return Pushed(self.place, str(root.digest), root.media_type, root.config_type)


class _Pushing:
    """One push of an archive."""

    def __init__(
        self, place: Reference, wanted: Wanted, destination: Destination, transfers: Transfers
    ) -> None:
        self._place = place
        self._wanted = wanted
        self._destination = destination
        self._transfers = transfers
        self._sender = Sender(destination, transfers)

    async def what_is_stored(self, path: Path) -> Plan:
        """Of a file or a folder, only what is needed is read."""
        plan = await self._planned(await asyncio.to_thread(contents_of, path))
        self._destination.sources += _repositories(plan, self._place)
        await self._sender.send(plan, self._place.tag)
        return plan

    async def what_flows(self, flow: Flow) -> Plan:
        """Of what comes once, all is sent, and what is not needed is given up."""
        with closing(flow):
            members = await Arrival(flow, self._destination, self._transfers).members()
        plan = await self._planned(members)
        await self._sender.send(plan, self._place.tag)
        await self._sender.cancel(left_over(members, {blob.file for blob in plan.blobs}))
        return plan

    async def _planned(self, contents: Contents) -> Plan:
        plan = await asyncio.to_thread(_plan, contents, self._wanted)
        if self._place.digest not in ("", str(plan.root.digest)):
            raise ArchiveError(
                f"the archive holds {plan.root.digest}, and not what {self._place.short} names"
            )
        return plan


def _plan(contents: Contents, wanted: Wanted) -> Plan:
    """By the kind of the archive; `docker save` has both since docker 25."""
    if layout.is_layout(contents):
        return layout.Layout(contents).plan(wanted)
    if docker_archive.is_docker_archive(contents):
        return docker_archive.plan(contents, wanted)
    raise ArchiveError(
        "the archive is neither an OCI layout nor one of docker: it has no index.json and no "
        "manifest.json"
    )


def _repositories(plan: Plan, place: Reference) -> list[str]:
    """The repositories of the same registry that the archive says it is from."""
    found = (
        references.split(name.partition("@")[0])[1].partition(":")[0]
        for name in plan.names
        if references.split(name)[0].lower() == place.server.netloc
    )
    return [name for name in dict.fromkeys(found) if name != place.repository]
