"""Where storage is: a connection string, or addresses of services and an identity."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field

from registry_core.model.accounts import account_of
from registry_core.settings.values import SettingsError

SERVICES = ("blob", "table", "queue")
"""The services of a storage account that the registry uses."""
_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEt"
    "lCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1"
)


@dataclass(frozen=True)
class StorageSettings:
    """Where storage is: a connection string, or service URIs and an identity."""

    connection_string: str = field(default="", repr=False)
    """`RegistryStorage`: with an account key; local development and tests."""
    blob_uri: str = ""
    """`RegistryStorage__blobServiceUri`: https://<account>.blob.core.windows.net."""
    table_uri: str = ""
    """`RegistryStorage__tableServiceUri`: https://<account>.table.core.windows.net."""
    queue_uri: str = ""
    """`RegistryStorage__queueServiceUri`: https://<account>.queue.core.windows.net."""
    credential: str = ""
    """`RegistryStorage__credential`: `managedidentity`, or nothing for the environment's own."""
    client_id: str = ""
    """`RegistryStorage__clientId`: of a user-assigned managed identity."""
    account_name: str = ""
    """`RegistryStorage__accountName`: needed where the address of blobs is a custom domain's."""

    @property
    def account(self) -> str:
        """The storage account's name. Raises `SettingsError` if nothing tells it.

        The SDK would sign for an account without a name, and storage refuse what it signed.
        """
        if self.connection_string:
            return connection_values(self.connection_string)["accountname"]
        name = self.account_name or account_of(self.blob_uri, "blob")
        if not name:
            raise SettingsError(
                "RegistryStorage__accountName: set it to the storage account's name. It is needed "
                f"to sign addresses of blobs, and {self.blob_uri} does not contain it"
            )
        return name


def read(env: Mapping[str, str]) -> StorageSettings:
    """Where storage is. Raises `SettingsError`."""
    connection = env.get("RegistryStorage", "").strip()
    if connection:
        development = connection.rstrip(";").lower() == "usedevelopmentstorage=true"
        if development:
            return StorageSettings(_DEVELOPMENT_STORAGE)
        values = connection_values(connection)
        if not {"accountname", "accountkey"} <= set(values):
            raise SettingsError(
                "RegistryStorage: the connection string needs AccountName and AccountKey. To use "
                "an identity instead, remove it and set RegistryStorage__blobServiceUri, "
                "RegistryStorage__tableServiceUri and RegistryStorage__queueServiceUri"
            )
        _check_key(values["accountkey"])
        _check_account(
            f"RegistryStorage: AccountName is {values['accountname']}",
            values["accountname"],
            {name: values.get(f"{name}endpoint", "") for name in SERVICES},
        )
        return StorageSettings(connection)
    account = env.get("RegistryStorage__accountName", "").strip()
    uris = {}
    for service in SERVICES:
        uri = env.get(f"RegistryStorage__{service}ServiceUri", "").strip().rstrip("/")
        if not uri and account:
            uri = f"https://{account}.{service}.core.windows.net"
        if not uri:
            raise SettingsError(
                f"RegistryStorage__{service}ServiceUri: it is missing. Set "
                "RegistryStorage__blobServiceUri, RegistryStorage__tableServiceUri and "
                "RegistryStorage__queueServiceUri, or only RegistryStorage__accountName, or set "
                "RegistryStorage to a connection string. "
                "For Azurite on its usual ports, that is UseDevelopmentStorage=true"
            )
        if not uri.startswith("https://"):
            raise SettingsError(
                f"RegistryStorage__{service}ServiceUri: it must begin with https://"
            )
        uris[service] = uri
    credential = env.get("RegistryStorage__credential", "").strip().lower()
    if credential not in ("", "managedidentity"):
        raise SettingsError(
            "RegistryStorage__credential: set it to 'managedidentity', or remove it"
        )
    storage = StorageSettings(
        blob_uri=uris["blob"],
        table_uri=uris["table"],
        queue_uri=uris["queue"],
        credential=credential,
        client_id=env.get("RegistryStorage__clientId", "").strip(),
        account_name=account,
    )
    _check_account(f"RegistryStorage: the account is {storage.account}", storage.account, uris)
    return storage


def connection_values(connection_string: str) -> dict[str, str]:
    """The values of a connection string by their names, which are in lower case."""
    pairs = (part.partition("=") for part in connection_string.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if value.strip()}


def _check_key(key: str) -> None:
    """Raises `SettingsError` unless it is base64, as every account's key is."""
    try:
        b64decode(key, validate=True)
    except ValueError as error:
        raise SettingsError(
            "RegistryStorage: AccountKey is not base64, so it is not the account's key, or not all "
            "of it. Copy the connection string again"
        ) from error


def _check_account(said: str, account: str, addresses: Mapping[str, str]) -> None:
    """Raises `SettingsError` where an address is another account's."""
    for service, address in addresses.items():
        if account_of(address, service) not in (None, account):
            raise SettingsError(
                f"{said}, but its {service} address belongs to another account: {address}"
            )
