import json
import shlex
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from nextvec.app.api.app import create_app
from nextvec.app.commands import pipeline, server
from nextvec.app.commands.main import cli
from nextvec.app.commands.pipeline import Live
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.commands import run_summary
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import save_corpus


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(cli, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_up_makes_what_is_missing_then_serves_what_it_says(
    make_corpus: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_corpus(make_corpus([130] * 12), tmp_path / "corpus")
    told: list[str | Path] = [
        "up",
        "--corpus",
        tmp_path / "corpus",
        "--root",
        tmp_path / "made",
    ]
    told += ["--recipe", "smoke"]
    served: list[Settings] = []

    def close(told: Settings, listeners: list[socket.socket]) -> None:
        served.append(told)
        for listener in listeners:
            listener.close()

    # a port that is free, and never listened on
    monkeypatch.setenv("NEXTVEC_PORT", "0")
    monkeypatch.setattr(server, "run_service", close)

    first = run(*told, "--no-serve", "--architecture", "baseline")
    assert served == []
    second = run(*told, "--architecture", "baseline", "--architecture", "memory")

    assert "is finished already" not in first
    assert "is finished already" in second  # the baseline is found, the memory is new
    assert "of 2 finished run(s)" in second
    assert "In plain words" in second
    assert f"Report: {tmp_path / 'made/runs'}" in second
    assert "--architecture hierarchical  # another network" in second
    assert "nextvec serve --bundles" in first
    assert served == [Settings(bundles=tmp_path / "made/bundles", port=0)]
    words = shlex.split(next(x for x in second.splitlines() if x.startswith("curl")))
    with TestClient(create_app(served[0])) as client:
        answer = client.post("/predict", json=json.loads(words[words.index("-d") + 1]))
    assert len(answer.json()["neighbors"]) == 3


@pytest.mark.slow
def test_a_sample_is_made_once(
    make_corpus: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(name: str, folder: Path, *, downloads: Path, **_: object) -> Corpus:
        assert (name, downloads) == ("fiddle", tmp_path / "downloads")
        return save_corpus(make_corpus([130] * 12), folder)

    monkeypatch.setattr(pipeline, "make_sample_corpus", fetched)
    told = ("up", "--root", tmp_path, "--recipe", "smoke", "--no-serve")

    first = run(*told, "--architecture", "baseline")
    again = run(*told, "--architecture", "baseline")

    assert "corpus tiny" in first
    assert "is already there (corpus tiny" not in first
    assert "is already there (corpus tiny" in again
    assert Registry(tmp_path / "bundles").pointer() is not None


@pytest.fixture
def made_in(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path]]:
    """Where the pipeline is told to make things, which it does not."""
    asked: list[tuple[Path, Path]] = []

    def make_live(root: Path, bundles: Path, **_: object) -> Live:
        asked.append((root, bundles))
        return Live(version="v", run=Path("run"), card={}, example=[])

    monkeypatch.setattr(pipeline, "make_live", make_live)
    monkeypatch.setattr(run_summary, "say_plainly", lambda *_: None)
    return asked


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        pytest.param((), {}, ("artifacts", "artifacts/bundles"), id="nothing"),
        pytest.param(("--root", "r"), {}, ("r", "r/bundles"), id="option"),
        pytest.param((), {"NEXTVEC_BUNDLES": "b"}, ("artifacts", "b"), id="setting"),
        pytest.param(
            ("--root", "r"), {"NEXTVEC_BUNDLES": "b"}, ("r", "r/bundles"), id="both"
        ),
    ],
)
def test_bundles_go_where_option_or_setting_says(
    made_in: list[tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    environment: dict[str, str],
    expected: tuple[str, str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    run("up", "--no-serve", *options)

    assert made_in == [(Path(expected[0]), Path(expected[1]))]


@pytest.mark.slow
def test_the_corpus_that_is_asked_for_becomes_live_again(
    make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    made = {}
    for name, lengths in (("one", [130] * 12), ("two", [131] * 12)):
        save_corpus(make_corpus(lengths), tmp_path / name)
        told = ("--corpus", tmp_path / name, "--root", tmp_path, "--recipe", "smoke")
        run("up", *told, "--no-serve", "--architecture", "baseline")
        pointer = Registry(tmp_path / "bundles").pointer()
        assert pointer is not None
        made[name] = (told, pointer.version)

    # as an argument, this time
    run("up", *made["one"][0][1:], "--no-serve", "--architecture", "baseline")

    pointer = Registry(tmp_path / "bundles").pointer()
    assert pointer is not None
    assert pointer.version == made["one"][1] != made["two"][1]


def test_an_unknown_sample_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["up", "--sample", "novels", "--root", str(tmp_path)]
    )

    assert result.exit_code == 1
    assert "novels" in result.output
