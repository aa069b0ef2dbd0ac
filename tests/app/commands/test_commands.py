"""The command line, against real bundles and a real server."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
import uvicorn
from typer.testing import CliRunner

from nextvec.app.api.app import create_app
from nextvec.app.commands import options, pipeline, server
from nextvec.app.commands.client import Client, ServiceError
from nextvec.app.commands.main import cli, main
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry
from nextvec.app.server.lifecycle import DrainingServer
from nextvec.app.server.timed_loop import TimedLoop
from nextvec.app.settings import Settings
from tests.app.sealing import copied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.app.conftest import World

WIDE = {"COLUMNS": "200", "TERM": "dumb"}


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(cli, [str(a) for a in arguments], env=WIDE)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    """A server on a port of its own."""
    app = create_app(Settings(bundles=world.bundles, threads=1))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_one_command_has_everything() -> None:
    shown = run("--help")

    for name in (
        "corpus",
        "train",
        "evaluate",
        "compare",
        "bundle",
        "serve",
        "predict",
    ):
        assert name in shown


def test_main_is_the_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["nextvec", "bundle", "--help"])

    with pytest.raises(SystemExit) as stopped:
        main()

    assert stopped.value.code == 0


def test_bundles_are_built_listed_promoted_and_rolled_back(
    world: World, tmp_path: Path
) -> None:
    bundles = tmp_path / "bundles"
    where = ("--bundles", bundles)

    built = run("bundle", "build", world.run, "--promote", *where)
    assert f"bundle {world.version} is whole" in built
    assert f"{world.version} is live" in built
    again = run(
        "bundle",
        "build",
        world.run,
        "--corpus",
        world.run.parents[1] / "corpus",
        *where,
    )
    assert "is there already" in again
    second = copied(bundles / world.version, "second").name
    assert f"{second} is live (readiness NO-GO)" in run(
        "bundle", "promote", second, *where
    )
    listed = run("bundle", "list", *where)
    assert "previous" in listed
    assert "live" in listed
    assert world.version in run("bundle", "rollback", *where)


@pytest.fixture
def set_bundles(bundles: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of bundles that only the environment names, as in the image."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("NEXTVEC_BUNDLES", str(bundles))
    return bundles


@pytest.mark.usefixtures("set_bundles")
def test_list_looks_where_the_setting_says(world: World) -> None:
    listed = run("bundle", "list")

    assert world.version in listed


def test_promote_looks_where_the_setting_says(set_bundles: Path, world: World) -> None:
    (set_bundles / "LIVE").unlink()

    run("bundle", "promote", world.version)

    pointer = Registry(set_bundles).pointer()
    assert pointer is not None
    assert pointer.version == world.version


def test_rollback_looks_where_the_setting_says(set_bundles: Path, world: World) -> None:
    second = copied(set_bundles / world.version, "second").name
    Registry(set_bundles).promote(second)

    assert f"{world.version} is live again" in run("bundle", "rollback")


def test_build_writes_where_the_setting_says(set_bundles: Path, world: World) -> None:
    shutil.rmtree(set_bundles)

    run("bundle", "build", world.run)

    assert Registry(set_bundles).versions() == [world.version]


@pytest.mark.usefixtures("set_bundles")
def test_an_option_wins_over_the_setting(tmp_path: Path, world: World) -> None:
    listed = run("bundle", "list", "--bundles", tmp_path / "none")

    assert world.version not in listed


def test_up_leaves_live_what_was_made_live_by_hand(
    bundles: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    second = copied(bundles / world.version, "second").name
    registry = Registry(bundles)
    registry.promote(second)
    corpus = world.run.parents[1] / "corpus"

    live = pipeline._bundle(world.run, corpus, registry)  # noqa: SLF001

    assert live == second
    words = f"nextvec bundle promote {world.version} --bundles {bundles}"
    assert words in capsys.readouterr().out


def test_an_empty_folder_lists_no_bundle(tmp_path: Path) -> None:
    assert "none" in run("bundle", "list", "--bundles", tmp_path)
    assert json.loads(run("bundle", "list", "--json", "--bundles", tmp_path)) == []


def test_a_list_breaks_no_name_and_is_there_as_json(
    bundles: Path, world: World
) -> None:
    second = copied(bundles / world.version, "second").name
    Registry(bundles).promote(second)
    long = copied(bundles / world.version, "x" * 40).name
    (bundles / f".{long}.old.tmp").mkdir()
    (bundles / f".{long}.old.tmp/bundle.json").write_text("half of it")

    narrow = CliRunner().invoke(
        cli,
        ["bundle", "list", "--bundles", str(bundles)],
        env={"COLUMNS": "40", "TERM": "dumb"},
    )
    listed = json.loads(run("bundle", "list", "--json", "--bundles", bundles))

    assert long in narrow.output.splitlines()
    assert f"{second}  (live)" in narrow.output
    assert {one["version"]: one["is"] for one in listed} == {
        world.version: "previous",
        second: "live",
        long: None,
    }
    assert "files" not in listed[0]


def test_a_bad_bundle_is_a_line_of_the_list(bundles: Path, world: World) -> None:
    where = ("--bundles", bundles)
    bad = copied(bundles / world.version, "bad")
    (bad / "bundle.json").write_text('{"format": [4]}')
    older = copied(bundles / world.version, "older")
    (older / "bundle.json").write_text('{"format": 4}')
    (copied(bundles / world.version, "moved")).rename(bundles / "elsewhere")

    shown = run("bundle", "list", *where)
    listed = json.loads(run("bundle", "list", "--json", *where))

    assert f"{world.version}  (live)" in shown
    assert "the manifest was changed" in shown
    assert "made by an older nextvec (bundle format 4, expected 5)" in shown
    assert "holds the bundle moved-" in shown
    found = {one["version"]: one.get("error", "none") for one in listed}
    assert found[world.version] == "none"
    assert "the manifest was changed" in found[bad.name]
    assert "holds the bundle moved-" in found["elsewhere"]


def test_verify_names_every_bundle_that_is_not_whole(
    bundles: Path, world: World
) -> None:
    where = ("--bundles", bundles)
    bad = copied(bundles / world.version, "bad")
    data = bytearray((bad / "ids.npy").read_bytes())
    data[10] ^= 1
    (bad / "ids.npy").write_bytes(data)

    shown = run("bundle", "verify", *where, code=1)
    alone = run("bundle", "verify", world.version, *where)

    assert f"{world.version}  is whole" in shown
    assert "ids.npy: damaged: expected SHA-256" in shown
    assert f"{world.version}  is whole" in alone
    assert "cannot be used: " in run("bundle", "verify", "nobody", *where, code=1)


def test_a_bundle_is_removed_unless_something_needs_it(
    bundles: Path, world: World
) -> None:
    where = ("--bundles", bundles)
    second = copied(bundles / world.version, "second").name
    third = copied(bundles / world.version, "third")
    run("bundle", "promote", second, *where)

    assert "is live; promote others first" in run(
        "bundle", "remove", second, *where, code=1
    )
    assert "is what a rollback goes back to" in run(
        "bundle", "remove", world.version, *where, code=1
    )
    assert f"{third.name} is removed" in run("bundle", "remove", third.name, *where)
    assert not third.exists()
    assert Registry(bundles).versions() == sorted([world.version, second])
    assert f"no bundle '{third.name}'" in run(
        "bundle", "remove", third.name, *where, code=1
    )


def test_a_bundle_of_the_baseline_holds_the_closed_form(
    finished_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished_run, tmp_path / "runs/mine")
    words = ("bundle", "build", tmp_path / "runs/mine", "--baseline")

    built = run(*words, "--promote", "--bundles", tmp_path / "bundles")
    again = run(*words, "--bundles", tmp_path / "bundles")

    (version,) = Registry(tmp_path / "bundles").versions()
    assert f"{version} is live" in built
    assert "is finished already" in again
    bundle = open_engine(tmp_path / "bundles" / version).bundle
    assert bundle.serves == bundle.card["base"]
    assert bundle.card["options"]["max_epochs"] == 0
    assert [epoch["number"] for epoch in bundle.card["history"]] == [0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("promote", "other"), "no bundle 'other'"),
        (("rollback",), "no bundle was live before"),
        (("build", "nowhere"), "nowhere: no run here"),
    ],
)
def test_errors_are_one_sentence(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    shown = run("bundle", *arguments, "--bundles", tmp_path, code=1)

    assert words in shown
    assert "Traceback" not in shown


def test_require_go_refuses_no_go(world: World, bundles: Path) -> None:
    shown = run(
        "bundle", "promote", world.version, "--require-go", "--bundles", bundles, code=1
    )

    assert "GO is required" in shown


def test_predict_asks_with_ids(url: str, world: World) -> None:
    ids = ",".join(world.corpus.ids[:20])

    shown = run("predict", "--ids", ids, "--url", url, "--k", 3)

    assert "After 20 in context" in shown
    assert "text of doc" in shown
    answer = json.loads(run("predict", "--ids", ids, "--url", url, "--json"))
    assert len(answer["neighbors"]) == 10
    assert f"  1  {answer['neighbors'][0]['score']:.4f}  " in shown


def test_predict_asks_with_a_file(url: str, world: World, tmp_path: Path) -> None:
    np.save(tmp_path / "context.npy", np.array(world.corpus.vectors[:20]))

    shown = run("predict", tmp_path / "context.npy", "--url", url, "--include-context")

    assert "After 20 in context" in shown


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_predict_asks_with_a_file_of_several_contexts(
    url: str, world: World, tmp_path: Path, dtype: str
) -> None:
    several = np.array(world.corpus.vectors[:60]).reshape(3, 20, -1).astype(dtype)
    np.save(tmp_path / "contexts.npy", several)
    np.save(tmp_path / "last.npy", several[2])

    shown = run("predict", tmp_path / "contexts.npy", "--url", url, "--k", 2)
    alone = run("predict", tmp_path / "last.npy", "--url", url, "--k", 2)

    assert shown.count("After 20 in context") == 3
    assert f"After 20 in context 2, says {world.version}:" in shown
    assert shown.endswith(alone.partition("\n")[2])


@pytest.mark.parametrize(
    "array",
    [
        np.ones(3),
        np.ones((2, 2), dtype=np.int64),
        np.array([["a"]]),
        np.ones((0, 3, 8)),
    ],
)
def test_predict_refuses_other_arrays(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "context.npy", array)

    shown = run("predict", tmp_path / "context.npy", code=1)

    assert "expected a float array of shape (T, D) or (B, T, D)" in shown


def test_predict_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "context.npy").write_text("no array")

    shown = run("predict", tmp_path / "context.npy", code=1)

    assert "expected a .npy file of numbers" in shown


def test_predict_needs_one_context() -> None:
    assert "give either a .npy file, --ids or --text" in run("predict", code=2)


def test_predict_says_why_it_was_refused(url: str) -> None:
    shown = run("predict", "--ids", "nobody", "--url", url, code=1)

    assert "The index holds no such id: ids[0]: no vector is called 'nobody'" in shown


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9", "no service answers there"),
        ("http://[::1", "no service answers there"),
        ("127.0.0.1:8000", "expected a URL with http:// or https://"),
        ("file:///etc/passwd", "expected a URL with http:// or https://"),
    ],
)
def test_predict_names_a_service_that_is_not_there(address: str, words: str) -> None:
    assert words in run("predict", "--ids", "a", "--url", address, code=1)


def test_another_server_s_error_is_shown_as_it_is() -> None:
    class Teapot(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(418, "short and stout")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Teapot) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(ServiceError, match="answered 418 short and stout"):
            Client(f"http://127.0.0.1:{server.server_port}").predict_ids(["a"])
        thread.join()


def test_predict_asks_where_the_settings_let_the_service_listen(
    url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTVEC_HOST", "0.0.0.0")  # noqa: S104 - as in the image
    monkeypatch.setenv("NEXTVEC_PORT", url.rpartition(":")[2])

    assert "After 1 in context" in run("predict", "--ids", world.corpus.ids[0])


@pytest.mark.parametrize("name", ["host", "port", "bundles", "bundle"])
def test_serve_explains_its_options_as_the_settings_do(name: str) -> None:
    field = Settings.model_fields[name]

    shown = " ".join(run("serve", "--help").replace("│", " ").split())

    assert field.description
    assert field.description in shown
    default = "" if field.default is None else f", or {field.default}"
    assert f"(default: NEXTVEC_{name.upper()}{default})" in shown


def test_help_shows_the_value_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTVEC_PORT", "9123")

    told = options._setting("port").help  # noqa: SLF001

    assert told.endswith("(default: NEXTVEC_PORT, or 8000; now 9123)")


def test_serve_takes_its_settings_from_options_and_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[Settings] = []

    def close(told: Settings, listeners: list[socket.socket]) -> None:
        served.append(told)
        for listener in listeners:
            listener.close()

    monkeypatch.setattr(server, "run_service", close)
    monkeypatch.setenv("NEXTVEC_MAX_K", "50")

    run("serve", "--port", 0, "--bundles", tmp_path, "--bundle", "v")

    assert (served[0].port, served[0].bundle, served[0].max_k) == (0, "v", 50)
    assert served[0].host == "127.0.0.1"


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        pytest.param((), {"NEXTVEC_PORT": "abc"}, "setting port: ", id="variable"),
        pytest.param(("--port", 99999), {}, "setting port: ", id="option"),
        pytest.param((), {"NEXTVEC_MAX_K": "0"}, "setting max_k: ", id="bound"),
    ],
)
def test_serve_names_a_setting_it_cannot_use(
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    environment: dict[str, str],
    words: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    shown = run("serve", *options, code=1)

    assert shown.startswith(f"Error: {words}")
    assert len(shown.splitlines()) == 1


def test_a_port_in_use_is_one_line_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[Settings] = []
    monkeypatch.setattr(server, "run_service", lambda told, _: served.append(told))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        shown = [
            run(*told, "--port", port, code=1)
            for told in (("serve", "--bundles", tmp_path), ("up", "--root", tmp_path))
        ]

    assert (
        shown
        == [f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use\n"]
        * 2
    )
    assert served == []
    assert list(tmp_path.iterdir()) == []


def test_serving_runs_the_app_with_our_logs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    levels: list[str] = []
    monkeypatch.setattr(server, "configure_logs", levels.append)
    ran: list[object] = []
    monkeypatch.setattr(DrainingServer, "run", lambda _, sockets: ran.append(sockets))

    thresholds = gc.get_threshold()

    server.run_service(Settings(bundles=tmp_path, log_level="ERROR"), [])
    frozen, threshold = gc.get_freeze_count(), gc.get_threshold()[0]
    gc.unfreeze()
    gc.set_threshold(*thresholds)

    assert (levels, ran) == (["ERROR"], [[]])
    # what was imported is collected no more, and the rest seldom
    assert frozen > 10_000
    assert threshold == 50_000


def test_the_server_is_told_what_is_set(tmp_path: Path) -> None:
    made = server.make_server(Settings(bundles=tmp_path, shutdown_timeout_s=3))

    config = made.config
    assert config.get_loop_factory() is TimedLoop
    assert (config.server_header, config.access_log) == (False, False)
    assert config.timeout_graceful_shutdown == 3
    assert config.proxy_headers is False
