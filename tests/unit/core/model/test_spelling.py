import re
from pathlib import Path

import pytest

from registry_core.model import spelling

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("REGISTRY_GCGRACE", "REGISTRY_GC_GRACE"),
        ("REGISTRY_ADMIN_USER_ENABLE", "REGISTRY_ADMIN_USER_ENABLED"),
        ("registry_cache_ttl", "REGISTRY_CACHE_TTL"),
        ("RegistryStorage__blobServiceURL", "RegistryStorage__blobServiceUri"),
    ],
)
def test_a_setting_that_is_misspelt_is_named_with_the_nearest_right_one(
    name: str, right: str
) -> None:
    (said,) = spelling.misspelt([name, "PATH"])
    assert said.startswith(f"{name} is not a setting")
    assert said.endswith(f"Is it {right}?")


def test_settings_and_what_deploying_has_in_its_environment_are_no_mistakes() -> None:
    names = (*spelling.REGISTRY, *spelling.STORAGE, *spelling.DEPLOYMENT, "PATH", "REGISTRY")
    assert list(spelling.misspelt(names)) == []


def test_the_settings_are_those_of_the_documentation() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    documented = set(re.findall(r"^\| `(REGISTRY_\w+|RegistryStorage\w*)`", page, re.MULTILINE))
    assert documented == {*spelling.REGISTRY, *spelling.STORAGE}


def test_the_names_of_deploying_are_those_of_the_templates_and_the_pipeline() -> None:
    sources = ["infra/main.bicep", "infra/main.bicepparam", ".github/workflows/deploy.yml"]
    text = "".join((ROOT / source).read_text() for source in sources)
    assert set(re.findall(r"REGISTRY_\w+", text)) - {*spelling.REGISTRY} == {*spelling.DEPLOYMENT}
