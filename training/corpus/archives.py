"""Pages inside pinned source distributions: fetched, verified, read in place.

The archives are only read, never unpacked, and nothing in them is run by this module.
(The package installer that fetches them asks each for its metadata, which it does with
every source distribution.)
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.corpus.rst import rst_to_text
from training.corpus.text import PAGE_SUFFIXES, Document
from training.errors import CorpusError

_MAX_PAGE_BYTES = 5_000_000
# The longest page has 0.7 MB; what is far above is no page.

_FETCH_TIMEOUT_S = 300
# 3 to 8 seconds each on a good line.


_DAMAGED = (OSError, EOFError, zlib.error, tarfile.TarError, UnicodeDecodeError)


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
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    found = errors or lines or ["the package installer failed"]
    return found[-1].removeprefix("ERROR: ")


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
    except _DAMAGED as error:
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
