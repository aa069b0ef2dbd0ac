import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own: what counts there can not be taken away."""
    return subprocess.run(  # noqa: S603 - this file's own words
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


WRITE = """
import sys
from pathlib import Path
from benchmarks.faults.written import WriteSteps
from nextvec.training.files import write_bytes

folder = Path(sys.argv[1])
steps = WriteSteps(folder, int(sys.argv[2]) or None)
write_bytes(folder / "a", b"whole")
(folder / "a").read_bytes()
write_bytes(folder.parent / "elsewhere", b"")
print(steps.count)
"""


def test_the_steps_of_a_write_are_counted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    done = run("-c", WRITE, str(tmp_path / "in"), "0")

    assert done.returncode == 0, done.stderr
    # open, sync, rename, remove what is not there, sync the folder; elsewhere two syncs
    assert done.stdout == "7\n"


@pytest.mark.parametrize(
    ("step", "left"),
    [
        pytest.param(1, {"a"}, id="before it is opened"),
        pytest.param(2, {"a", "new"}, id="before it is synced"),
        pytest.param(3, {"a", "new"}, id="before it is renamed"),
        pytest.param(4, {"a"}, id="after that"),
    ],
)
def test_a_process_is_killed_before_a_step(
    tmp_path: Path, step: int, left: set[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")

    done = run("-c", WRITE, str(folder), str(step))

    assert done.returncode == -9
    found = {"a" if path.name == "a" else "new" for path in folder.iterdir()}
    assert found == left
    assert (folder / "a").read_bytes() == (b"whole" if step > 3 else b"old")


@pytest.mark.slow
def test_nothing_is_lost_when_up_is_killed() -> None:
    done = run("-m", "benchmarks.faults.kills", "--trials", "3")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "before 3 of them, all was well after 3 (" in done.stdout
