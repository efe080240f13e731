import pytest

from registry_core.model.accounts import account_of


@pytest.mark.parametrize(
    ("address", "account"),
    [
        ("https://acct.blob.core.windows.net", "acct"),
        ("https://ACCT.blob.core.windows.net/", "acct"),
        ("https://acct1.blob.core.usgovcloudapi.net:443", "acct1"),
        ("https://acct.z12.blob.storage.azure.net", "acct"),
        ("https://acct.z00.blob.storage.azure.net", "acct"),
        ("http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
        ("http://[::1]:10000/devstoreaccount1/", "devstoreaccount1"),
        ("http://localhost:10000/devstoreaccount1/content", "devstoreaccount1"),
        ("http://localhost:10000", None),
        ("http://azurite:10000/devstoreaccount1", None),
        ("https://acct.table.core.windows.net", None),
        ("https://blob.core.windows.net", None),
        ("https://acct.blob", None),
        ("https://acct.x12.blob.storage.azure.net", None),
        ("https://a.acct.z12.blob.storage.azure.net", None),
        ("https://acct-secondary.blob.core.windows.net", None),
        ("https://blobs.example.com/acct", None),
        ("", None),
    ],
)
def test_an_address_names_its_account_as_azure_and_the_emulator_form_it(
    address: str, account: str | None
) -> None:
    assert account_of(address, "blob") == account
