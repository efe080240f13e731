"""The challenge of a 401 (RFC 9110, 11.6.1; distribution, "Token Authentication").

Clients take it apart with little care: it begins with `Bearer `, has no space after its commas, and
for `/v2/` no comma within quotes.
"""

from __future__ import annotations

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def host_of(server: str) -> str:
    """The host of a login server, without its port."""
    return server.rpartition(":")[0] if ":" in server.rpartition("]")[2] else server


def bearer(server: str, scheme: str, scope: str = "", error: str = "") -> str:
    """The value of `WWW-Authenticate`: where to get a token for `server`, and for which scope.

    `scheme` is heeded on loopback only; everywhere else tokens are got by https.
    """
    scheme = scheme if host_of(server) in LOOPBACK and scheme == "http" else "https"
    value = f'Bearer realm="{scheme}://{server}/oauth2/token",service="{server}"'
    value += f',scope="{scope}"' if scope else ""
    return value + (f',error="{error}"' if error else "")
