import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nextvec.app.commands import bundle_group, keys_group
from nextvec.app.commands.main import COMMANDS, cli
from nextvec.training.commands import corpus_group
from nextvec.training.commands.lazy_group import LazyCommand


@pytest.mark.parametrize(
    ("name", "lazy"),
    [
        *COMMANDS.items(),
        *bundle_group.COMMANDS.items(),
        *keys_group.COMMANDS.items(),
        *corpus_group.COMMANDS.items(),
    ],
)
def test_what_is_said_of_a_command_is_its_own_first_sentence(
    name: str, lazy: LazyCommand
) -> None:
    command = lazy.load(name)

    assert command.name == name
    assert (command.help or "").split("\n\n")[0] == lazy.summary


def test_no_help_imports_anything_heavy() -> None:
    groups = {
        "corpus": corpus_group.COMMANDS,
        "bundle": bundle_group.COMMANDS,
        "keys": keys_group.COMMANDS,
    }
    asked = [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
    for group, commands in groups.items():
        asked += [[group, name, "--help"] for name in commands]
    script = (
        "import sys\n"
        "from nextvec.app.commands.main import cli\n"
        "heavy = {'torch', 'faiss', 'numpy', 'scipy', 'matplotlib', 'polars',\n"
        "    'fastapi', 'uvicorn', 'httpx2'}\n"
        f"for words in {asked}:\n"
        "    try:\n"
        "        cli(words)\n"
        "    except SystemExit as end:\n"
        "        told = (words, end.code, sorted(heavy & set(sys.modules)))\n"
        "        print(*told, file=sys.stderr)\n"
    )

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stderr.splitlines() == [f"{words} 0 []" for words in asked]


@pytest.mark.parametrize("command", ["train", "up"])
def test_a_corpus_that_is_not_there_is_told_before_torch_is_imported(
    command: str, tmp_path: Path
) -> None:
    script = (
        "import sys\n"
        "from nextvec.app.commands.main import cli\n"
        "try:\n"
        f"    cli({[command, str(tmp_path / 'gone')]})\n"
        "except SystemExit as end:\n"
        "    print(end.code, 'torch' in sys.modules)\n"
    )

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "gone: no corpus here" in done.stderr
    assert done.stdout == "1 False\n"


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == "nextvec 0.1.0\n"


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(cli, ["nosuch"])

    assert result.exit_code == 2
    assert "No such command 'nosuch'" in result.output


def test_a_misspelt_command_is_told_the_nearest() -> None:
    result = CliRunner().invoke(cli, ["corpsu"])

    assert "Did you mean 'corpus'" in result.output


def test_a_group_and_its_command_are_loaded_when_they_are_asked_for() -> None:
    result = CliRunner().invoke(cli, ["bundle", "remove", "--help"])

    assert result.exit_code == 0
    assert "neither live nor the one before it" in result.output
