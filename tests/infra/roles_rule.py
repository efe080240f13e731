"""The operations that the code makes on storage against the roles that the templates assign."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

from tests.infra.bicep import Expression
from tests.infra.templates import Templates

_ROLES_FILE = "infra/modules/roles.bicep"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_TABLES = "Microsoft.Storage/storageAccounts/tableServices/tables"
_DELEGATE = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"

# Azure's built-in roles: what they allow, as learn.microsoft.com/azure/role-based-access-control/
# built-in-roles/storage has it.
_ROLES: Mapping[str, tuple[str, frozenset[str]]] = {
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": (
        "Storage Blob Data Contributor",
        frozenset(
            {f"{_BLOBS}/{what}" for what in ("read", "write", "delete")}
            | {f"{_BLOBS}/blobs/{what}" for what in ("read", "write", "delete", "add/action")}
            | {_DELEGATE}
        ),
    ),
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": (
        "Storage Blob Data Owner",
        frozenset(
            {f"{_BLOBS}/{what}" for what in ("read", "write", "delete")}
            | {f"{_BLOBS}/blobs/{what}" for what in ("read", "write", "delete", "add/action")}
            | {_DELEGATE}
        ),
    ),
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": ("Storage Blob Delegator", frozenset({_DELEGATE})),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": (
        "Storage Table Data Contributor",
        frozenset(
            {f"{_TABLES}/{what}" for what in ("read", "write", "delete")}
            | {f"{_TABLES}/entities/{what}" for what in ("read", "write", "delete")}
        ),
    ),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": (
        "Storage Queue Data Contributor",
        frozenset(
            {f"{_QUEUES}/{what}" for what in ("read", "write", "delete")}
            | {f"{_QUEUES}/messages/{what}" for what in ("read", "write", "delete")}
            | {f"{_QUEUES}/messages/process/action"}
        ),
    ),
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": (
        "Storage Queue Data Message Sender",
        frozenset({f"{_QUEUES}/messages/add/action"}),
    ),
    "3913510d-42f4-4e42-8a64-420c390055eb": ("Monitoring Metrics Publisher", frozenset()),
}

# What each request needs, by the module that makes it and its method; and what each method of the
# SDKs that is called, by the REST operation below it.
_BLOB_REQUESTS = {
    "GET": frozenset({f"{_BLOBS}/blobs/read"}),
    "HEAD": frozenset({f"{_BLOBS}/blobs/read"}),
    "PUT": frozenset({f"{_BLOBS}/blobs/write"}),
    "DELETE": frozenset({f"{_BLOBS}/blobs/delete"}),
}
_REQUESTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "registry_core/storage/objects.py": _BLOB_REQUESTS,
    "registry_core/storage/documents.py": _BLOB_REQUESTS,
    "registry_core/storage/bulk.py": _BLOB_REQUESTS,
    "registry_core/storage/lease.py": _BLOB_REQUESTS,
    "registry_core/storage/connection.py": {
        "POST": frozenset({f"{_TABLES}/write"}),
        "PUT": frozenset({f"{_BLOBS}/write"}),
    },
    "registry_core/storage/queues.py": {
        "GET": frozenset({f"{_QUEUES}/read"}),
        "POST": frozenset({f"{_QUEUES}/messages/write"}),
        "PUT": frozenset({f"{_QUEUES}/write"}),
        "DELETE": frozenset({f"{_QUEUES}/messages/delete"}),
    },
    "registry_core/storage/tables.py": {
        "GET": frozenset({f"{_TABLES}/entities/read"}),
        # A transaction.
        "POST": frozenset(f"{_TABLES}/entities/{what}" for what in ("read", "write", "delete")),
    },
}
_METHODS: Mapping[str, frozenset[str]] = {
    "get_user_delegation_key": frozenset({_DELEGATE}),
}
_WITHOUT_CALL = {"close", "from_connection_string", "get_blob_client", "get_container_client"}
_OF_OTHER_CLASSES = {"update", "create", "delete", "exists", "list", "url"}
_SCOPES = {
    "registryStorage::blobs::content": "content",
    "registryStorage::blobs::system": "system",
    "registryStorage": "account",
}


@dataclass(frozen=True)
class Assignment:
    """A role for somebody on something."""

    symbol: str
    principal: str
    role: str
    scope: str


def assignments(templates: Templates) -> Iterator[Assignment]:
    """Those in the template."""
    file = templates.file(_ROLES_FILE)
    for resource in file.resources:
        if resource.type_name != "Microsoft.Authorization/roleAssignments":
            continue
        properties = resource.body["properties"]
        role = properties["roleDefinitionId"].text.rpartition(", ")[2].rstrip(")")
        yield Assignment(
            resource.symbol,
            properties["principalId"].text,
            file.variables[role],
            resource.body["scope"].text,
        )


def sdk_methods() -> frozenset[str]:
    """All that the SDK's clients can do."""
    clients = (BlobClient, BlobServiceClient, ContainerClient)
    names = {
        name
        for client in clients
        for name in dir(client)
        if not name.startswith("_") and callable(getattr(client, name))
    }
    return frozenset(names - _WITHOUT_CALL - _OF_OTHER_CLASSES)


def called(templates: Templates) -> Iterator[tuple[str, str, frozenset[str] | None]]:
    """What the code asks of storage: where, by which name, and the actions that it needs."""
    methods = sdk_methods()
    for path, text in templates.texts.items():
        if not path.startswith("registry_core/storage/"):
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Attribute(attr=method) if method in methods:
                    yield f"{path}:{node.lineno}", method, _METHODS.get(method)
                case ast.Call(ast.Name("Request"), [ast.Constant(str(method)), *_]):
                    yield f"{path}:{node.lineno}", method, _REQUESTS.get(path, {}).get(method)


def operations(templates: Templates) -> Iterator[str]:
    """What the code does on storage, the app's identity may."""
    allowed: dict[str, set[str]] = {"content": set(), "system": set(), "account": set()}
    for each in assignments(templates):
        if each.principal == "principalId" and each.scope in _SCOPES:
            allowed[_SCOPES[each.scope]] |= _ROLES[each.role][1]
    for where, method, actions in called(templates):
        if actions is None:
            yield f"{where}: {method}: no rule says which action it needs"
        for action in sorted(actions or ()):
            wide = action.startswith((_TABLES, _QUEUES)) or action == _DELEGATE
            for scope in ("account",) if wide else ("content", "system"):
                if action not in allowed[scope] | allowed["account"]:
                    yield f"{where}: {method} needs {action} on {scope}"


def least(templates: Templates) -> Iterator[str]:
    """No role on storage is wider than what is needed, and each is known."""
    for each in assignments(templates):
        if each.role not in _ROLES:
            yield f"{each.symbol}: the role {each.role} is not one we know"
            continue
        name = _ROLES[each.role][0]
        if each.scope == "registryStorage" and name.startswith("Storage Blob Data"):
            yield f"{each.symbol}: {name} on the whole account, where two containers will do"
        if each.scope.startswith("registryStorage") and name.endswith("Owner"):
            yield f"{each.symbol}: {name}, where Contributor will do"
        if each.principal == "operatorPrincipalId" and each.scope.endswith("content"):
            yield f"{each.symbol}: the operator manages who gets in, not content"


def identity_only(templates: Templates) -> Iterator[str]:
    """Storage takes no shared key and no anonymous request, by TLS 1.2, and keeps no versions."""
    wanted = {
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
    }
    for file in templates.modules():
        for resource in file.resources:
            properties = resource.body.get("properties", {})
            if resource.existing or isinstance(properties, Expression):
                continue
            if resource.type_name == "Microsoft.Storage/storageAccounts":
                for name, value in wanted.items():
                    if properties.get(name) != value:
                        yield f"{file.path}: {resource.symbol}: {name} has to be {value}"
            is_service = resource.type_name == "Microsoft.Storage/storageAccounts/blobServices"
            if is_service and properties.get("isVersioningEnabled") is not False:
                yield f"{file.path}: each append would make a version of an upload"
