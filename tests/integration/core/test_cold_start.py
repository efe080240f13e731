"""What a start imports: the required libraries and little else, with nothing left to later."""

from __future__ import annotations

import pytest

from bench import cold_start
from devhost.processes.azurite import Azurite
from tests.integration.core.conftest import PASSWORD

BUDGET = 1.75
"""The app's imports to those of the required libraries alone; measured at 1.4 to 1.6.

It is a ratio of processor times taken in turn, the least of several each: seconds say nothing on a
machine that others share.
"""

NOT_IMPORTED = {
    "azure.storage.blob": "asks for delegation keys, when one is needed",
    "azure.data.tables": "the yardstick of tests",
    "azure.core": "comes with these",
    "aiohttp": "for a proxy, and for an identity, where there are any",
    "azure.identity": "there is none with a connection string, and a managed one asks when needed",
    "msal": "comes with it",
    "registry_core.lifecycle.collection": "for timers, messages and the command line",
    "slipway_cli": "the command line",
    "slipway_cli.billing": "the command line's too",
    "devhost": "is not deployed",
    "uvloop": "the worker has its own loop",
    "azure.storage.queue": "devhost's",
    "httpx": "the tests'",
    "multipart": "the registry reads forms itself",
}


@pytest.mark.long
@pytest.mark.alone
def test_imports_stay_within_a_ratio_to_the_required_libraries() -> None:
    assert cold_start.ratio(5) < BUDGET


@pytest.mark.long
@pytest.mark.alone
def test_the_ratio_catches_a_library_that_is_not_needed() -> None:
    assert (
        cold_start.ratio(
            3, f"import hypothesis, pytest, httpx, azure.storage.blob.aio; {cold_start.APP}"
        )
        > BUDGET
    )


def test_what_a_start_does_not_need_is_not_imported() -> None:
    loaded = cold_start.modules()
    assert {name for name in NOT_IMPORTED if name in loaded} == set()
    assert "registry_core.http.edge" in loaded


def test_the_identity_is_imported_where_one_is_used() -> None:
    statement = (
        "import asyncio\nfrom registry_core.settings import StorageSettings\n"
        "from registry_core.storage import calls, connection\n"
        "async def main():\n"
        "    blobs, tables = (f'https://acct.{s}.core.windows.net' for s in ('blob', 'table'))\n"
        "    settings = StorageSettings(blob_uri=blobs, table_uri=tables)\n"
        "    await connection.Connection(settings, calls.CallHook()).close()\n"
        "asyncio.run(main())\npass"
    )
    assert "azure.identity.aio" in cold_start.modules(statement)


def test_nothing_heavy_is_left_to_the_first_request(azurite: Azurite) -> None:
    first = cold_start.first_requests(azurite.connection_string, PASSWORD)
    heavy = {
        "fastapi",
        "aiohttp",
        "ssl",
        "jwt",
        "starlette",
        "requests",
        "uvicorn",
        "registry_core",
    }
    assert heavy.isdisjoint(first.loaded)
    assert first.processor_seconds["second sign-in"] < first.processor_seconds["import"]
