"""What `slipway push` takes."""

from __future__ import annotations

import argparse

from slipway_cli.arguments.registry import add_sign_in
from slipway_cli.arguments.relay import add_chunk
from slipway_cli.command import describe, later


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("push.command", "run"),
        "Push an image with layers of any size: one of docker or podman, or an archive, for which "
        "no engine is needed. The output is the name of what was pushed, by its digest. Repeat the "
        "command after a failure: layers that the registry has are not sent again.",
        "push registry.example.com/team/app:v1",
        "push app:dev registry.example.com/team/app:v1 --engine podman",
        "push --archive app.tar registry.example.com/team/app:v1",
        "push --archive layout/ registry.example.com/team/app:v1 --platform linux/arm64",
    )
    parser.epilog = (
        f"{parser.epilog}\n  docker save app:dev | slipway push --archive - "
        "registry.example.com/team/app:v1"
    )
    parser.add_argument(
        "image",
        metavar="IMAGE",
        help="the image on this machine; with --archive, left out",
    )
    parser.add_argument(
        "reference",
        nargs="?",
        metavar="REFERENCE",
        help="where to push, such as registry.example.com/team/app:v1, without the registry if "
        "--registry or SLIPWAY_REGISTRY names it (default: what IMAGE says; the tag: latest)",
    )
    parser.add_argument(
        "--archive",
        metavar="PATH",
        help="push an OCI layout (a folder), an OCI archive or one of `docker save` (tar, also "
        "compressed by gzip), or what comes from standard input (-)",
    )
    parser.add_argument("--registry", "-r", metavar="ADDRESS", help="the registry's address")
    parser.add_argument(
        "--engine",
        choices=("docker", "podman"),
        help="which has the image (default: the first that has it)",
    )
    parser.add_argument(
        "--select",
        metavar="NAME",
        help="of an archive with several images, that with this name, tag or digest",
    )
    parser.add_argument(
        "--platform",
        metavar="OS/ARCHITECTURE",
        help="of an index, only the image for this platform, such as linux/arm64",
    )
    parser.add_argument(
        "--mount-from",
        action="append",
        metavar="REPOSITORY",
        help="a repository of the registry that may have some of the layers, so that they need "
        "not be sent; with --archive, and as often as you like",
    )
    add_chunk(parser)
    add_sign_in(parser)
