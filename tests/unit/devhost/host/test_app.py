import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.errors import AppError
from devhost.host.app import load_app, read_local_settings

_IMPORTS = "import azure.functions as func\napp = func.FunctionApp()\n"
CONNECTION = "AccountName=account;AccountKey=a2V5"


def route(name: str, arguments: str) -> str:
    return f"\n@app.route({arguments})\nasync def {name}(req): pass\n"


def timer(schedule: str) -> str:
    return f'\n@app.timer_trigger(schedule={schedule}, arg_name="t")\ndef tick(t): pass\n'


def queue(name: str, connection: str) -> str:
    arguments = f'arg_name="m", queue_name="{name}", connection="{connection}"'
    return f"\n@app.queue_trigger({arguments})\ndef work(m): pass\n"


@pytest.fixture(autouse=True)
def _forget_the_app() -> Iterator[None]:
    path = sys.path.copy()
    yield
    sys.path[:] = path
    sys.modules.pop("function_app", None)


@pytest.fixture(autouse=True)
def _restore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsScriptRoot", "")


BUNDLE = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}


def write(directory: Path, source: str, host: dict[str, object] | None = None) -> Path:
    (directory / "function_app.py").write_text(_IMPORTS + source)
    document = {"extensionBundle": BUNDLE, **(host or {})}
    (directory / "host.json").write_text(json.dumps(document))
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
    source = '\n@app.blob_trigger(arg_name="b", path="c", connection="")\ndef arrived(b): pass\n'
    app = load_app(write(tmp_path, source))
    assert app.not_run == ("arrived (blobTrigger)",)
    assert not app.http_functions


def test_a_setting_switches_off_a_function_of_any_trigger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobs.one.Disabled", "true")
    monkeypatch.setenv("AZUREWEBJOBS.WORK.DISABLED", "1")
    monkeypatch.setenv("AzureWebJobs.two.Disabled", "false")
    source = route("one", 'route="a"') + route("two", 'route="b"') + queue("q-1", "CONNECTION")
    app = load_app(write(tmp_path, source))
    assert app.disabled == ("one", "work")
    assert [each.template for each in app.routes.routes] == ["api/b"]
    assert not app.queues


def test_a_timer_has_a_schedule_which_may_be_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAILY", "0 30 3 * * *")
    app = load_app(write(tmp_path, timer('"%DAILY%"')))
    assert [(each.function.name, each.schedule.expression) for each in app.timers] == [
        ("tick", "0 30 3 * * *")
    ]
    assert not app.timers[0].run_on_startup
    assert app.timers[0].use_monitor


def test_a_timer_says_whether_it_runs_on_startup_and_is_monitored(tmp_path: Path) -> None:
    app = load_app(write(tmp_path, timer('"0 * * * *", run_on_startup=True, use_monitor=False')))
    assert app.timers[0].run_on_startup
    assert not app.timers[0].use_monitor


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ('"0 0 25 * * *"', "'25' in the field {hour}"),
        ('"%MISSING%"', "%MISSING%: there is no such setting"),
        ('"01:00:00"', "six"),
    ],
)
def test_a_timer_with_an_unusable_schedule_is_named_with_what_is_wrong(
    tmp_path: Path, schedule: str, complaint: str
) -> None:
    with pytest.raises(AppError, match=f"function tick: .*{complaint}"):
        load_app(write(tmp_path, timer(schedule)))


def test_a_queue_trigger_without_an_extension_bundle_is_refused_in_the_hosts_words(
    tmp_path: Path,
) -> None:
    app_dir = write(tmp_path, queue("jobs", "Work"))
    (app_dir / "host.json").write_text(json.dumps({"version": "2.0"}))
    words = (
        r"The binding type\(s\) 'queueTrigger' are not registered. Please ensure the type is "
        "correct and the binding extension is installed."
    )
    with pytest.raises(AppError, match=f"^function work: {words}") as refused:
        load_app(app_dir)
    assert json.loads(
        str(refused.value).partition("this: ")[2][len('"extensionBundle": ') : -1]
    ) == (BUNDLE)


@pytest.mark.parametrize("built_in", [route("one", ""), timer('"0 0 0 * * *"')])
def test_the_triggers_that_are_built_in_need_no_extension_bundle(
    tmp_path: Path, built_in: str
) -> None:
    app_dir = write(tmp_path, built_in)
    (app_dir / "host.json").write_text(json.dumps({"version": "2.0"}))
    load_app(app_dir)


def test_a_queue_has_a_name_and_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Work", CONNECTION)
    monkeypatch.setenv("QUEUE", "Jobs-1")
    app = load_app(
        write(tmp_path, queue("%QUEUE%", "Work"), {"extensions": {"queues": {"batchSize": 1}}})
    )
    assert [(each.queue_name, each.connection) for each in app.queues] == [("jobs-1", CONNECTION)]
    assert app.queues_options.batch_size == 1


@pytest.mark.parametrize(
    ("name", "connection", "complaint"),
    [
        ("a", "Work", "'a' is not a valid name for a queue"),
        ("a--b", "Work", "'a--b' is not a valid name for a queue"),
        ("jobs", "Malformed", "[Cc]onnection string"),
        ("jobs", "Nowhere", "the connection Nowhere is not set"),
        ("jobs", "ByIdentity", r"uses an identity \(ByIdentity__queueServiceUri\)"),
    ],
)
def test_a_queue_that_cannot_be_used_is_named_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, connection: str, complaint: str
) -> None:
    monkeypatch.setenv("Work", CONNECTION)
    monkeypatch.setenv("Malformed", "none")
    monkeypatch.setenv("ByIdentity__queueServiceUri", "https://account.queue.core.windows.net")
    with pytest.raises(AppError, match=f"function work: .*{complaint}"):
        load_app(write(tmp_path, queue(name, connection)))


def test_a_trigger_with_a_binding_that_is_not_imitated_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Work", CONNECTION)
    output = '\n@app.queue_output(arg_name="out", queue_name="more", connection="Work")'
    with pytest.raises(AppError, match="function work: bindings of type queue"):
        load_app(write(tmp_path, output + queue("jobs", "Work")))


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
