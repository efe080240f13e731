"""Ports and connections: listening, finding out whether somebody else does, and being idle."""

import socket

from devhost.errors import PortInUseError

IDLE_CONNECTION_SECONDS = 130
"""For so long a server keeps a connection without a request: Kestrel's own default.

It has to be longer than clients keep one: otherwise a client sends a request on a connection that
is being closed. Go's clients, docker among them, keep one for 90 seconds.
"""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 lets the system choose.

    Raises:
        PortInUseError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortInUseError(f"cannot listen on {host}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"cannot listen on {host} port {port}: {error.strerror}. "
            f"Stop what uses it, or choose another: PORT={port + 1} make run (PORT=0 picks one)."
        ) from None
    listener.set_inheritable(False)
    return listener


def reserve() -> socket.socket:
    """Return a socket with a port of this machine that nobody else can have, or connect to."""
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    return reserved


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
