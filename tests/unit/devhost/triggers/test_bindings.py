import pytest

from devhost.errors import AppError
from devhost.triggers.bindings import connection_string, resolve


@pytest.mark.parametrize(
    ("text", "resolved"),
    [("%A%", "1"), ("x-%A%-%B%", "x-1-2"), ("none", "none"), ("100%", "100%")],
)
def test_settings_are_put_in_place_of_their_names(text: str, resolved: str) -> None:
    assert resolve(text, {"A": "1", "B": "2"}) == resolved


def test_a_name_without_a_setting_is_told() -> None:
    with pytest.raises(AppError, match="%NOWHERE%"):
        resolve("%NOWHERE%", {})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Work", {"Work": "it", "AzureWebJobsStorage": "other"}),
        ("Work", {"AzureWebJobsWork": "it", "Work": "other"}),
        ("", {"AzureWebJobsStorage": "it"}),
        ("Storage", {"AzureWebJobsStorage": "it"}),
        ("AzureWebJobsStorage", {"AzureWebJobsStorage": "it"}),
    ],
)
def test_a_connection_is_found_where_the_host_finds_it(name: str, settings: dict[str, str]) -> None:
    assert connection_string(name, settings) == "it"


@pytest.mark.parametrize("setting", ["Work__queueServiceUri", "AzureWebJobsWork__accountName"])
def test_a_connection_by_identity_is_refused_in_so_many_words(setting: str) -> None:
    with pytest.raises(AppError, match=f"uses an identity .{setting}"):
        connection_string("Work", {setting: "x"})
