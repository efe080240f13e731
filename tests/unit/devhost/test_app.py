import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.app import load_app, read_local_settings
from devhost.errors import AppError

_IMPORTS = "import azure.functions as func\napp = func.FunctionApp()\n"


def route(name: str, arguments: str) -> str:
    return f"\n@app.route({arguments})\nasync def {name}(req): pass\n"


@pytest.fixture(autouse=True)
def _forget_the_app() -> Iterator[None]:
    path = sys.path.copy()
    yield
    sys.path[:] = path
    sys.modules.pop("function_app", None)


@pytest.fixture(autouse=True)
def _restore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsScriptRoot", "")


def write(directory: Path, source: str, host: object = None) -> Path:
    (directory / "function_app.py").write_text(_IMPORTS + source)
    if host is not None:
        (directory / "host.json").write_text(json.dumps(host))
    return directory


def test_functions_are_indexed_with_their_routes_and_methods(tmp_path: Path) -> None:
    source = route("one", 'route="a/{*path}", methods=["GET", "HEAD"]') + route("two", 'route="b"')
    app = load_app(write(tmp_path, source, {"extensions": {"http": {"routePrefix": ""}}}))
    assert [(each.template, each.methods) for each in app.routes.routes] == [
        ("a/{*path}", {"GET", "HEAD"}),
        ("b", None),
    ]
    assert app.http_functions["one"].parameter == "req"


def test_the_route_prefix_is_api_unless_host_json_says_otherwise(tmp_path: Path) -> None:
    app = load_app(write(tmp_path, route("one", 'route="a"')))
    assert app.routes.routes[0].template == "api/a"


def test_a_function_without_a_route_has_its_name_for_one(tmp_path: Path) -> None:
    app = load_app(write(tmp_path, route("one", "")))
    assert app.routes.routes[0].template == "api/one"


def test_functions_with_other_triggers_are_named_but_not_run(tmp_path: Path) -> None:
    source = '\n@app.timer_trigger(schedule="0 0 0 * * *", arg_name="t")\ndef daily(t): pass\n'
    app = load_app(write(tmp_path, source))
    assert app.not_run == ("daily (timerTrigger)",)
    assert not app.http_functions


def test_two_functions_cannot_share_a_route_and_a_method(tmp_path: Path) -> None:
    source = route("one", 'route="a", methods=["GET"]') + route("two", 'route="A"')
    with pytest.raises(AppError, match="conflict"):
        load_app(write(tmp_path, source))


def test_a_directory_without_an_app_is_named(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=str(tmp_path)):
        load_app(tmp_path)


def test_local_settings_are_optional(tmp_path: Path) -> None:
    assert read_local_settings(tmp_path) == {}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"IsEncrypted": true}', '{"Values": {"a": 1}}', '{"Values": []}']
)
def test_local_settings_that_func_could_not_use_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "local.settings.json").write_text(content)
    with pytest.raises(AppError, match=r"local\.settings\.json"):
        read_local_settings(tmp_path)
