import hashlib
import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nextvec.training.corpus.samples import archives
from nextvec.training.corpus.samples.archives import (
    SourceArchive,
    fetch_archive,
    read_pages,
)
from nextvec.training.corpus.samples.samples import Sample, read_sample
from nextvec.training.corpus.text.text import Document
from nextvec.training.errors import CorpusError

Pack = Callable[..., SourceArchive]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Make a tiny source distribution and its entry in a table."""

    def make(
        pages: dict[str, bytes], *, links: dict[str, str] | None = None
    ) -> SourceArchive:
        path = tmp_path / "tiny-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, content in pages.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            for name, target in (links or {}).items():
                member = tarfile.TarInfo(name)
                member.type = tarfile.SYMTYPE
                member.linkname = target
                tar.addfile(member)
        return SourceArchive(
            name="Tiny",
            version="1.0",
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            folder="docs/build",
            license="MIT",
        )

    return make


def test_only_pages_of_the_folder_are_read(pack: Pack, tmp_path: Path) -> None:
    archive = pack(
        {
            "tiny-1.0/docs/build/b.rst": b"Title\n=====\n",
            "tiny-1.0/docs/build/deep/a.txt": b"See :ref:`it <x>`.\n",
            "tiny-1.0/docs/build/c.md": b"Text.\n",
            "tiny-1.0/docs/build/setup.py": b"raise SystemExit\n",
            "tiny-1.0/docs/other.rst": b"No.\n",
            "tiny-1.0/README.rst": b"No.\n",
        },
        links={"tiny-1.0/docs/build/link.rst": "b.rst"},
    )

    documents = read_sample(Sample(archives=(archive,), description="tiny"), tmp_path)

    assert documents == [
        Document("tiny/b.rst", "Title"),
        Document("tiny/c.md", "Text."),
        Document("tiny/deep/a.txt", "See it."),
    ]
    assert [path.name for path in tmp_path.iterdir()] == [archive.file]


def test_patterns_choose_pages_and_leave_some_out(pack: Pack, tmp_path: Path) -> None:
    archive = pack(
        {
            "t/NEWS.rst": b"News.",
            "t/README.rst": b"No.",
            "t/docs/a.rst": b"Page.",
            "t/docs/lists/b.rst": b"No.",
            "t/docs/deep/1.2.1.rst": b"No.",
            "t/docs/deep/1.2.0.rst": b"Release.",
        }
    )
    archive = replace(
        archive,
        folder=".",
        pages=("docs", "NEWS.*"),
        without=("docs/lists", "docs/deep/*.[1-9].rst"),
    )

    documents = read_pages(archive, tmp_path / archive.file)

    assert [document.id for document in documents] == [
        "tiny/NEWS.rst",
        "tiny/docs/a.rst",
        "tiny/docs/deep/1.2.0.rst",
    ]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        pytest.param(True, "Title\n\nSee the guide.", id="markdown"),
        pytest.param(False, "# Title\n\nSee [the guide](g.md).", id="as-the-rest"),
    ],
)
def test_markdown_is_read_as_the_table_says(
    pack: Pack, tmp_path: Path, markdown: bool, text: str
) -> None:
    archive = pack({"t/docs/build/a.md": b"# Title\n\nSee [the guide](g.md).\n"})

    documents = read_pages(replace(archive, markdown=markdown), tmp_path / archive.file)

    assert documents == [Document("tiny/a.md", text)]


@pytest.mark.parametrize(
    "name",
    ["tiny-1.0/docs/build/../../../up.rst", "/docs/build/x.rst", "../docs/build/x.rst"],
)
def test_a_path_that_leaves_the_archive_writes_nothing(
    pack: Pack, tmp_path: Path, name: str
) -> None:
    archive = pack({name: b"Out.\n", "tiny-1.0/docs/build/a.rst": b"In.\n"})

    documents = read_pages(archive, tmp_path / archive.file)

    assert documents[-1].id == "tiny/a.rst" or len(documents) == 2
    assert [path.name for path in tmp_path.iterdir()] == [archive.file]
    assert not (tmp_path.parent / "up.rst").exists()


def test_an_oversized_page_is_left_out(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_MAX_PAGE_BYTES", 5)
    archive = pack(
        {"t/docs/build/a.rst": b"Short", "t/docs/build/b.rst": b"Far too long."}
    )

    assert read_pages(archive, tmp_path / archive.file) == [
        Document("tiny/a.rst", "Short")
    ]


def test_an_archive_of_another_digest_is_refused(pack: Pack, tmp_path: Path) -> None:
    archive = pack({"t/docs/build/a.rst": b"Text."})
    with (tmp_path / archive.file).open("ab") as file:
        file.write(b"!")

    with pytest.raises(
        CorpusError, match=rf"tiny-1.0.tar.gz: expected SHA-256 {archive.sha256}, found"
    ):
        fetch_archive(archive, tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "text", "latin-1", "no pages"])
def test_a_damaged_archive_is_named(pack: Pack, tmp_path: Path, damage: str) -> None:
    content = b"caf\xe9" if damage == "latin-1" else b"Text."
    folder = "other" if damage == "no pages" else "docs/build"
    archive = pack({f"t/{folder}/a.rst": content})
    path = tmp_path / archive.file
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:60])
    elif damage == "text":
        path.write_text("hello")

    with pytest.raises(CorpusError, match=r"tiny-1\.0\.tar\.gz: expected .*pages"):
        read_pages(archive, path)


@pytest.fixture
def installer(
    monkeypatch: pytest.MonkeyPatch, pack: Pack
) -> Callable[[str], tuple[SourceArchive, list[list[str]]]]:
    """Stand in for the package installer, which needs a network."""

    def replace_with(script: str) -> tuple[SourceArchive, list[list[str]]]:
        archive = pack({"t/docs/build/a.rst": b"Text."})
        real_popen = subprocess.Popen
        calls: list[list[str]] = []

        def popen(command: list[str], **options: object) -> subprocess.Popen[bytes]:
            calls.append(command)
            folder = command[command.index("--dest") + 1]
            wanted = Path(command[command.index("--requirement") + 1]).read_text()
            calls.append(wanted.split())
            return real_popen(  # type: ignore[call-overload, no-any-return]
                [sys.executable, "-c", script, folder, archive.file], **options
            )

        monkeypatch.setattr(subprocess, "Popen", popen)
        return archive, calls

    return replace_with


def test_a_missing_archive_is_fetched_once(
    installer: Callable[[str], tuple[SourceArchive, list[list[str]]]], tmp_path: Path
) -> None:
    script = (
        "import shutil, sys; "
        f"shutil.copy({str(tmp_path)!r} + '/' + sys.argv[2], sys.argv[1])"
    )
    archive, calls = installer(script)
    downloads = tmp_path / "downloads"

    path = fetch_archive(archive, downloads)
    again = fetch_archive(archive, downloads)

    assert path == again == downloads / archive.file
    assert [p.name for p in downloads.iterdir()] == [archive.file]
    command, wanted = calls
    assert wanted == ["Tiny==1.0", f"--hash=sha256:{archive.sha256}"]
    assert "--require-hashes" in command
    assert command[command.index("--no-binary") + 1] == "Tiny"


def test_a_wheel_is_fetched_as_a_wheel(
    installer: Callable[[str], tuple[SourceArchive, list[list[str]]]], tmp_path: Path
) -> None:
    archive, calls = installer("raise SystemExit(1)")
    wheel = replace(archive, file="tiny-1.0-py3-none-any.whl")

    with pytest.raises(CorpusError, match="could not be fetched"):
        fetch_archive(wheel, tmp_path / "downloads")

    command = calls[0]
    assert command[command.index("--only-binary") + 1] == "Tiny"
    assert "--no-binary" not in command
    assert "--no-deps" in command
    assert "--require-hashes" in command


def test_the_installer_is_stopped_when_the_archive_is_there(
    installer: Callable[[str], tuple[SourceArchive, list[list[str]]]], tmp_path: Path
) -> None:
    archive, _ = installer(
        "import os, shutil, sys, tempfile, time; "
        "inside = tempfile.mkdtemp(); "
        "open(inside + '/' + sys.argv[2], 'wb').write(b'half'); time.sleep(0.2); "
        f"shutil.copy({str(tmp_path)!r} + '/' + sys.argv[2], inside); "
        "time.sleep(60); os._exit(1)"
    )
    downloads = tmp_path / "downloads"
    before = time.monotonic()

    path = fetch_archive(archive, downloads)

    assert time.monotonic() - before < 30
    assert [p.name for p in downloads.iterdir()] == [path.name]


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(tmp_path: Path) -> None:
    assert archives._digest(tmp_path / "gone") == ""  # noqa: SLF001


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(
            "import sys; sys.exit('WARNING: x\\nERROR: No matching distribution')",
            r"could not be fetched \(No matching distribution\); without a network",
            id="no-network",
        ),
        pytest.param(
            "raise SystemExit(1)", "the package installer failed", id="no-reason"
        ),
        pytest.param(
            "import sys; sys.exit('No module named pip')",
            r"\(No module named pip\)",
            id="no-installer",
        ),
        pytest.param("", "no file came", id="no-file"),
        pytest.param(
            "import time; time.sleep(9)", "within 0.1 seconds", id="no-answer"
        ),
    ],
)
def test_without_a_network_a_sentence_says_what_to_do(
    installer: Callable[[str], tuple[SourceArchive, list[list[str]]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    message: str,
) -> None:
    archive, _ = installer(script)
    if "sleep" in script:
        monkeypatch.setattr(archives, "_FETCH_TIMEOUT_S", 0.1)
    downloads = tmp_path / "downloads"

    with pytest.raises(CorpusError, match=message) as refused:
        fetch_archive(archive, downloads)

    assert f"into {downloads} by hand" in str(refused.value)
    assert list(downloads.iterdir()) == []
