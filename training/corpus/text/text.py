"""Text of one's own: folders of pages or a .jsonl file into documents."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from nextvec.training.corpus.text.markdown import markdown_to_text
from nextvec.training.corpus.text.rst import rst_to_text
from nextvec.training.errors import CorpusError

PAGE_SUFFIXES: Final = (".txt", ".md", ".rst")
"""Endings of the pages that are read from a folder."""

_CLEANERS: dict[str, Callable[[str], str]] = {
    ".txt": lambda source: source,
    ".md": markdown_to_text,
    ".rst": rst_to_text,
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document before it is cut into passages."""

    id: str
    """Unique name."""

    text: str
    """Its prose; an empty line ends a paragraph."""


def clean_page(source: str, suffix: str) -> str:
    """Reduce a page to its prose.

    Args:
        source: the text of the page.
        suffix: ``.txt`` (left as it is), ``.md`` or ``.rst``.

    Raises:
        ValueError: another suffix.
    """
    if suffix not in _CLEANERS:
        msg = f"expected one of {', '.join(PAGE_SUFFIXES)}, got {suffix!r}"
        raise ValueError(msg)
    return _CLEANERS[suffix](source)


def read_documents(paths: Sequence[Path]) -> list[Document]:
    """Read documents from folders, pages and .jsonl files.

    Pages are named by their path inside the folder that was given, lines of a .jsonl
    by their ``document_id``.

    Args:
        paths: folders (searched in depth for .txt, .md and .rst, what is hidden left
            out), single pages, or .jsonl files.

    Returns:
        Documents in the order of the paths, pages of a folder by name.

    Raises:
        CorpusError: a path is missing, of another kind, without pages, not UTF-8, or a
            line is not as described in docs/corpus.md; or two documents have one name.
    """
    documents: list[Document] = []
    origin: dict[str, str] = {}
    for path in paths:
        for document, where in _read(path):
            if document.id in origin:
                msg = (
                    f"{where}: document {document.id!r} was already read from "
                    f"{origin[document.id]}, expected each name once"
                )
                raise CorpusError(msg)
            origin[document.id] = where
            documents.append(document)
    return documents


def source_files(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Find the files that `read_documents` reads, and their names in the corpus.

    Args:
        paths: as in `read_documents`.

    Returns:
        Files in the order of the paths, and as many names: the path inside its folder,
        or the name of a file that was given itself.

    Raises:
        CorpusError: a folder without pages.
    """
    files: list[Path] = []
    names: list[str] = []
    for path in paths:
        pages = _pages(path) if path.is_dir() else [path]
        files += pages
        names += [_name(page, path) for page in pages]
    return files, names


def _pages(folder: Path) -> list[Path]:
    pages = sorted(page for page in folder.rglob("*") if _is_page(page, folder))
    if not pages:
        msg = f"{folder}: expected pages ({', '.join(PAGE_SUFFIXES)}), found none"
        raise CorpusError(msg)
    return pages


def _name(page: Path, given: Path) -> str:
    return page.name if page == given else page.relative_to(given).as_posix()


def _read(path: Path) -> Iterator[tuple[Document, str]]:
    if path.is_dir():
        for page in _pages(path):
            yield Document(_name(page, path), _page(page)), str(page)
    elif path.suffix.lower() == ".jsonl":
        yield from _lines(path)
    elif path.suffix.lower() in PAGE_SUFFIXES:
        yield Document(path.name, _page(path)), str(path)
    else:
        expected = f"a folder, a .jsonl file or a page ({', '.join(PAGE_SUFFIXES)})"
        found = "another kind of file" if path.exists() else "nothing there"
        msg = f"{path}: expected {expected}, found {found}"
        raise CorpusError(msg)


def _is_page(page: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in page.relative_to(folder).parts)
    return page.suffix.lower() in PAGE_SUFFIXES and not hidden and page.is_file()


def _page(path: Path) -> str:
    return clean_page(_decoded(path), path.suffix.lower())


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise CorpusError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: expected UTF-8 text, byte {error.start} is not"
        raise CorpusError(msg) from error


def _lines(path: Path) -> Iterator[tuple[Document, str]]:
    """Read a .jsonl; neighboring lines with one document_id are one document."""
    current, parts, where = "", [""], ""
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        if not line.strip():
            continue
        name, text = _line(line, f"{path}: line {number}")
        if where and name != current:
            yield Document(current, "\n\n".join(parts)), where
            where = ""
        if not where:
            current, parts, where = name, [], f"{path}: line {number}"
        parts.append(text)
    if not where:
        msg = f"{path}: expected a JSON object a line, found no line"
        raise CorpusError(msg)
    yield Document(current, "\n\n".join(parts)), where


def _line(line: str, where: str) -> tuple[str, str]:
    try:
        record: Any = orjson.loads(line)
    except ValueError as error:
        msg = f"{where}: expected a JSON object, found no JSON: {error}"
        raise CorpusError(msg) from error
    if not isinstance(record, dict):
        msg = f"{where}: expected a JSON object, got {type(record).__name__}"
        raise CorpusError(msg)
    name, text = record.get("document_id"), record.get("text")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name:
        msg = f"{where}: expected a document_id (text or a whole number), got {name!r}"
        raise CorpusError(msg)
    if not isinstance(text, str):
        msg = f"{where}: expected a text under 'text', got {type(text).__name__}"
        raise CorpusError(msg)
    return name, text
