"""The environment of these tests is the one that is deployed, and no other Python can be."""

from __future__ import annotations

from importlib.metadata import metadata, version

from packaging.specifiers import SpecifierSet

from tests import locks


def test_the_packages_here_are_those_that_are_deployed() -> None:
    deployed = locks.in_production(locks.APP)
    assert deployed == {name: version(name) for name in deployed}


def test_a_build_for_an_older_python_finds_a_package_that_refuses_it() -> None:
    """Oryx was seen to build an app of Python 3.13 with 3.11; the worker then found no function."""
    required = {name: metadata(name)["Requires-Python"] for name in locks.in_production(locks.APP)}
    for python in ("3.10.13", "3.11.8", "3.12.1"):
        assert [
            n for n, wanted in required.items() if wanted and python not in SpecifierSet(wanted)
        ]
    assert not [
        n for n, wanted in required.items() if wanted and "3.13.0" not in SpecifierSet(wanted)
    ]
