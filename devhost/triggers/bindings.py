"""What the attributes of a trigger refer to: app settings and connections.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-expressions-patterns#binding-expressions---app-settings
https://learn.microsoft.com/azure/azure-functions/functions-reference#connections
"""

import re
from collections.abc import Mapping

from devhost.errors import AppError

_DEFAULT_CONNECTION = "AzureWebJobsStorage"
_SETTING = re.compile("%([^%]*)%")


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Return `text` with every `%NAME%` replaced by the setting of that name.

    Raises:
        AppError: there is no such setting.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise AppError(f"{match[0]}: there is no such setting; set it in the environment")
        return settings[match[1]]

    return _SETTING.sub(value, text)


def connection_string(name: str, settings: Mapping[str, str]) -> str:
    """Return the connection string that a trigger's `connection` names.

    Raises:
        AppError: there is no such setting, or it is a connection by identity.
    """
    name = name or _DEFAULT_CONNECTION
    # In the host's order: https://github.com/Azure/azure-webjobs-sdk, IConfigurationExtensions.
    candidates = (f"AzureWebJobs{name}", name)
    for candidate in candidates:
        if settings.get(candidate):
            return settings[candidate]
    for setting in settings:
        if setting.startswith(tuple(f"{candidate}__" for candidate in candidates)):
            raise AppError(
                f"the connection {name} uses an identity ({setting}), which queue triggers do not "
                f"support here; set {name} to a connection string"
            )
    raise AppError(f"the connection {name} is not set; set {name} to a connection string")
