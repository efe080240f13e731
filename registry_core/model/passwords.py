"""Passwords that are made here."""

import secrets


def random_password() -> str:
    """A password of 256 random bits, of letters, digits, `-` and `_`.

    It does not begin with `-`: on a command line it would be taken for an option, as after
    `az acr login --password`.
    """
    while (password := secrets.token_urlsafe(32)).startswith("-"):
        pass
    return password
