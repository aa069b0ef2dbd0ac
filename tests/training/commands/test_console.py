from pathlib import Path

import pytest
import typer

from nextvec.training.commands.console import handle_errors, progress_bars, say_next
from nextvec.training.errors import CorpusError


@pytest.mark.parametrize(
    "error", [CorpusError("x.npz: row [3] is bad"), OSError("disk [3] is full")]
)
def test_an_error_becomes_one_sentence_and_exit_status_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as stopped, handle_errors():
        raise error

    assert stopped.value.exit_code == 1
    assert capsys.readouterr().err == f"Error: {error}\n"


def test_a_long_message_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), handle_errors():
        raise CorpusError("word " * 100)

    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(KeyError), handle_errors():
        raise KeyError


def test_each_stage_has_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as report:
        report("reading", 0, 2)
        report("reading", 2, 2)
        report("writing", 1, 3)

    shown = capsys.readouterr().out
    assert "reading" in shown
    assert "2/2" in shown
    assert "1/3" in shown


def test_what_comes_next_can_be_pasted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/nextvec"), "up"])

    say_next("nextvec serve --bundles nextvec")

    assert capsys.readouterr().out == (
        "Next:\n  .venv/bin/nextvec serve --bundles nextvec\n"
    )
