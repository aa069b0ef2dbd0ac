from importlib import resources
from pathlib import Path

import pytest

from nextvec.training.corpus.samples.archive_table import read_archive_table
from nextvec.training.corpus.samples.archives import SourceArchive

ENTRY = """
[[archive]]
name = "Tiny"
version = "1.0"
file = "tiny-1.0.tar.gz"
sha256 = "00"
folder = "."
license = "MIT"
"""


@pytest.fixture(autouse=True)
def _beside_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)


def test_entries_become_archives_in_order(tmp_path: Path) -> None:
    more = ENTRY.replace("Tiny", "More") + 'pages = ["docs"]\nwithout = ["docs/x*"]\n'
    (tmp_path / "table.toml").write_text(ENTRY + more)

    first, second = read_archive_table("table.toml")

    assert first == SourceArchive(
        name="Tiny",
        version="1.0",
        file="tiny-1.0.tar.gz",
        sha256="00",
        folder=".",
        license="MIT",
        markdown=True,
    )
    assert (second.name, second.pages, second.without) == (
        "More",
        ("docs",),
        ("docs/x*",),
    )


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text(ENTRY + "licence = 1\n")

    with pytest.raises(TypeError, match="licence"):
        read_archive_table("table.toml")
