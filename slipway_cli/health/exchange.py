"""Requests of the checks to a registry: what goes wrong with them, and what to do then."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping

from registry_core.errors import reason_of
from slipway_cli.health.checks import Failed
from slipway_cli.registry.server import TIMEOUT_SECONDS, Answer, Server

_ADVICE = {
    401: "sign in again: the password or the token counts no more",
    403: "give this user the right: a token by its scope map (slipway scope-map update), a user of "
    "Entra ID by a role such as AcrPush (slipway role-assignment create)",
    404: "check that the address is the registry's, and that nothing on the way answers in its "
    "place",
    405: "the repository is locked, or the registry refuses this to everybody: unlock it, or name "
    "another with --repository",
    413: "something on the way takes no requests of this size: raise its limit",
    429: "wait for a minute; if it lasts, look at the limits in docs/limits.md",
    503: "wait for half a minute and try again. If it lasts, docs/runbook.md says what each answer "
    "with 503 means",
}
_LOOK_IT_UP = "look at the registry's log; docs/runbook.md says how to find the request there"


def send(
    server: Server,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterator[bytes] | None = None,
) -> Answer:
    """One request and its answer, whatever its status. Raises `Failed` where none comes."""
    try:
        return server.send(method, target, headers, body)
    except TimeoutError as error:
        raise Failed(
            "no-answer",
            f"{server.netloc} did not answer within {TIMEOUT_SECONDS} s",
            "a first start takes up to half a minute: wait for it with --wait 120. If it lasts, "
            "look whether the registry runs, and at proxies on the way",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise Failed(
            "broken-off",
            f"{server.netloc} broke off the exchange: {str(error) or type(error).__name__}",
            "look at proxies and firewalls on the way, and whether the registry has just been "
            "restarted",
        ) from error


def expect(answer: Answer, status: int, what: str) -> None:
    """Raises `Failed` where the registry answered something else to `what`."""
    if answer.status == status:
        return
    said = reason_of(answer.body)
    correlation = answer.headers.get("x-ms-correlation-request-id")
    where = f" (correlation id {correlation})" if correlation else ""
    raise Failed(
        said.partition(":")[0].lower().replace("_", "-") or str(answer.status),
        f"{what} was answered {answer.status}{f' ({said})' if said else ''}",
        _ADVICE.get(answer.status, f"{_LOOK_IT_UP}{where}"),
        {"status": answer.status, "correlation_id": correlation},
    )
