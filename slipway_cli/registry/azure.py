"""The sign-in of `az`, as it is used for Azure Container Registry."""

from __future__ import annotations

import logging

SCOPE = "https://containerregistry.azure.net/.default"
_SECONDS = 30
"""How long `az` may take: it is slow to start."""


class NotSignedInToAzure(Exception):
    """`az` has no token; the text says why."""


def access_token() -> str:
    """A token of Entra ID for whoever has signed in by `az login`.

    Raises `NotSignedInToAzure`.
    """
    # Imported here: no other way to sign in needs it, and it is slow to import.
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415
    from azure.identity import AzureCliCredential  # noqa: PLC0415

    logging.getLogger("azure").addHandler(logging.NullHandler())  # What it says is said below.
    try:
        token: str = AzureCliCredential(process_timeout=_SECONDS).get_token(SCOPE).token
        return token
    except ClientAuthenticationError as error:
        reason = str(error.message).splitlines()[0]
        raise NotSignedInToAzure(f"az gives no token ({reason})") from error
