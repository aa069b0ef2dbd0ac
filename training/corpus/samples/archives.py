"""Pinned archives: fetched, verified; pages inside source distributions read in place.

The archives are only read, never unpacked, and nothing in them is run by this module.

The package installer fetches them: it alone knows a machine's index, mirrors, proxies,
certificates and credentials, and finds a file by name and version. A downloader of
files (pooch, an HTTP client) needs fixed addresses, which a mirror does not share, and
would have to be told all the rest again.

But the installer goes on to build the metadata of what it has fetched, and no option
forbids it (pypa/pip, issue 1884). Left alone, with pip 26.3 on Python 3.11 and a mirror
nearby, that takes 132 s for scikit-learn 1.9.1, which wants a compiler; matplotlib
3.11.2 asks another server for FreeType, and fails where that is out of reach; numpy
2.5.5 and scipy 1.18.1 fail, since their builds want Python 3.12, and no archive is
handed out. Stopped as soon as the archive lies whole in its temporary folder, it takes
0.4 to 0.7 s for each of the four.
"""

import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from nextvec.training.corpus.text.markdown import markdown_to_text
from nextvec.training.corpus.text.rst import rst_to_text
from nextvec.training.corpus.text.text import PAGE_SUFFIXES, Document
from nextvec.training.errors import CorpusError

_MAX_PAGE_BYTES = 5_000_000
# The longest page has 0.7 MB; what is far above is no page.

_FETCH_TIMEOUT_S = 300
# 2 to 5 seconds each on a good line, 20 for the largest (37 MB).

_LOOK_EVERY_S = 0.1
# Often enough to stop before a metadata step has begun to compile.

_DAMAGED = (OSError, EOFError, zlib.error, tarfile.TarError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedArchive:
    """A source distribution or wheel of which one digest is taken."""

    name: str
    """Name of the package."""

    version: str
    """Pinned version."""

    file: str
    """File name of the archive."""

    sha256: str
    """Digest of the file, 64 hexadecimal digits."""

    license: str
    """Licence of what is read: SPDX name or the authors' own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceArchive(PinnedArchive):
    """A source distribution and where its pages are."""

    folder: str
    """Folder of the pages inside the archive's top folder; "." for that itself."""

    pages: tuple[str, ...] = ()
    """Folders and pages inside ``folder`` that are read, shell patterns; empty: all."""

    markdown: bool = False
    """Whether .md is read as Markdown; if not, as reStructuredText like the rest."""

    without: tuple[str, ...] = ()
    """Folders and pages inside ``folder`` that are left out, shell patterns."""


def fetch_archive(archive: PinnedArchive, downloads: Path) -> Path:
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


def _download(archive: PinnedArchive, downloads: Path) -> None:
    with tempfile.TemporaryDirectory(dir=downloads, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        wanted = folder / "wanted.txt"
        wanted.write_text(
            f"{archive.name}=={archive.version} --hash=sha256:{archive.sha256}\n"
        )
        command = [sys.executable, "-m", "pip", "download"]
        command += ["--disable-pip-version-check", "--quiet", "--no-input"]
        # Only this package as source: build tools of its metadata step stay wheels.
        kind = "--only-binary" if archive.file.endswith(".whl") else "--no-binary"
        command += ["--no-deps", kind, archive.name, "--require-hashes"]
        # Its pages are read, it is not installed: any Python will do.
        command += ["--ignore-requires-python"]
        command += ["--requirement", str(wanted), "--dest", name]
        reason = _run_until_fetched(command, archive, folder)
        fetched = _find_whole(archive, folder)
        if fetched is None:
            msg = (
                f"{archive.file} could not be fetched ({reason or 'no file came'}); "
                f"without a network, put the file into {downloads} by hand "
                f"(--downloads names another folder), or use your own text or vectors"
            )
            raise CorpusError(msg)
        fetched.replace(downloads / archive.file)


def _run_until_fetched(command: list[str], archive: PinnedArchive, folder: Path) -> str:
    """Run the installer until it ends or the archive lies whole in the folder.

    It puts the archive into its temporary folder before it builds metadata.

    Returns:
        Why it failed, empty if it did not.
    """
    log = folder / "log.txt"
    deadline = time.monotonic() + _FETCH_TIMEOUT_S
    with log.open("wb") as output:
        installer = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
            command,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,  # a process group of its own, to be stopped whole
            env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)),
        )
        try:
            while True:
                try:
                    code = installer.wait(_LOOK_EVERY_S)
                except subprocess.TimeoutExpired:
                    if _find_whole(archive, folder) is not None:
                        return ""
                    if time.monotonic() > deadline:
                        return f"no answer within {_FETCH_TIMEOUT_S} seconds"
                else:
                    found = log.read_text(encoding="utf-8", errors="replace")
                    return _last_line(found) if code else ""
        finally:
            _stop(installer)


def _stop(installer: subprocess.Popen[bytes]) -> None:
    """Kill the installer and what it has started; all they wrote is in our folder."""
    if installer.poll() is None:
        if sys.platform == "win32":  # pragma: no cover - no process groups there
            installer.kill()
        else:
            os.killpg(installer.pid, signal.SIGKILL)
        installer.wait()


def _find_whole(archive: PinnedArchive, folder: Path) -> Path | None:
    """Path of the pinned file in or one level below a folder, None if not yet whole."""
    for path in (*folder.glob(archive.file), *folder.glob(f"*/{archive.file}")):
        if _digest(path) == archive.sha256:
            return path
    return None


def _digest(path: Path) -> str:
    """SHA-256 of a file, empty if it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


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
        if not inside.is_relative_to(folder) or inside.suffix not in PAGE_SUFFIXES:
            continue
        page = inside.relative_to(folder)
        wanted = not archive.pages or _matches(page, archive.pages)
        wanted = wanted and not _matches(page, archive.without)
        if not wanted or not member.isfile() or member.size > _MAX_PAGE_BYTES:
            continue
        content = tar.extractfile(member)
        if content is not None:
            source = content.read().decode()
            # .txt as well: these projects write all their pages in that markup
            is_markdown = archive.markdown and page.suffix == ".md"
            text = markdown_to_text(source) if is_markdown else rst_to_text(source)
            yield f"{archive.name.lower()}/{page}", text


def _matches(page: PurePosixPath, patterns: tuple[str, ...]) -> bool:
    """Tell whether the page or a folder it is in fits one of the patterns."""
    names = [str(path) for path in (page, *page.parents)]
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
