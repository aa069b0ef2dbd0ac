"""One module names the files of a run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextvec.training import run_folder
from nextvec.training.run_folder import FINISHED, LOCK, STATE

ROOT = Path(__file__).parents[2]
NAMES = {*FINISHED, STATE, run_folder.SEQUENCES}

OTHERS = {
    "training/run_folder.py": NAMES,
    # a corpus has a card too, and a study a report
    "training/corpus/store.py": {"card.json"},
    "training/study/report.py": {"report.html", "report.md"},
}
"""Where else such a name may stand."""


def texts_of(file: Path) -> Iterator[str]:
    """Yield the strings of a module that are no docstrings, or a whole template."""
    if file.suffix != ".py":
        yield file.read_text()
        return
    tree = ast.parse(file.read_text())
    spoken = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in spoken:
                yield text


def test_no_other_module_names_a_file_of_a_run() -> None:
    files = [
        file
        for package in ("app", "training")
        for kind in ("py", "html", "md")
        for file in (ROOT / package).rglob(f"*.{kind}")
    ]
    found = {
        (str(file.relative_to(ROOT)), name)
        for file in files
        for text in texts_of(file)
        for name in NAMES
        if name in text
    }

    allowed = {(file, name) for file, names in OTHERS.items() for name in names}
    assert found == allowed


def test_every_name_is_one_of_a_finished_run_or_known_to_be_gone() -> None:
    named = {
        value
        for name, value in vars(run_folder).items()
        if name.isupper() and isinstance(value, str)
    }

    known = {STATE, LOCK, run_folder.SHARED, run_folder.SEQUENCES}
    # of a run that is made for a bundle of it alone
    known.add(run_folder.ITEM_BASELINE)
    assert named == {*FINISHED, *known}
    assert len(set(FINISHED)) == len(FINISHED)


@pytest.mark.parametrize("name", [*FINISHED, run_folder.SEQUENCES])
def test_every_file_of_a_finished_run_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs/training.md").read_text()


@pytest.mark.parametrize("name", run_folder.BUNDLED)
def test_every_file_that_a_bundle_takes_over_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/bundle.md").read_text()
