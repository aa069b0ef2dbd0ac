"""Prose out of reStructuredText: what a reader reads, without markup and code.

The forms are those of the reStructuredText specification
(https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html). Code, targets,
comments and images go; titles, notes, lists and table cells stay as paragraphs.
"""

import re
from dataclasses import dataclass, field
from itertools import zip_longest

_DROPPED = frozenset(
    (
        "autoclass",
        "autodata",
        "autoexception",
        "autofunction",
        "automethod",
        "automodule",
        "autosummary",
        "code",
        "code-block",
        "console",
        "contents",
        "csv-table",
        "currentmodule",
        "default-domain",
        "digraph",
        "doctest",
        "figure",
        "graphviz",
        "highlight",
        "highlightlang",
        "image",
        "include",
        "index",
        "literalinclude",
        "math",
        "mermaid",
        "meta",
        "parsed-literal",
        "prompt",
        "raw",
        "role",
        "sectionauthor",
        "sourcecode",
        "testcode",
        "testoutput",
        "testsetup",
        "toctree",
    )
)
# Their bodies are code, options or lists of file names, not sentences.

_PROSE_ARGUMENT = frozenset(
    (
        "admonition",
        "attention",
        "caution",
        "danger",
        "error",
        "hint",
        "important",
        "note",
        "rubric",
        "seealso",
        "tip",
        "todo",
        "topic",
        "warning",
    )
)
# What follows their "::" is a sentence or a title, elsewhere it is a name or a version.

_EXPLICIT = re.compile(r"\.\.(?:\s|$)")
_DIRECTIVE = re.compile(r"\.\. ?(\|[^|]+\| )?([\w:+.-]+?)::(?:\s+(.*))?$")
_FOOTNOTE = re.compile(r"\.\. \[[^\]]+\]\s+")
_SIMPLE_BORDER = re.compile(r"[=-]{2,}( +[=-]{2,})+$")
_SEPARATOR = re.compile(r"(?!::$)([^\w\s])\1+$|\+[-=+]+\+$|__ \S")
# The line under a title, the border of a grid table, an anonymous target.

_GRID_ROW = re.compile(r"\|.*\|$")
_OPTION = re.compile(r":[\w-]+:(\s|$)")
_FIELD = re.compile(r":[^:`]+:(?:\s+|$)")
_BULLET = re.compile(r"(?:[*+•-]|(?:\d+|#)[.)]|\|)\s+")

_FOOTNOTE_MARK = re.compile(r"\s?\[(?:#?\w*|\*)\]_")
_REFERENCE_WORD = re.compile(r"(?<!\w)([^\W_][\w.-]*[^\W_])__?(?=[\s.,;:!?)]|$)")
_ROLE = re.compile(r"(?::[\w:+.-]+:)?`([^`]+)`(?:__?)?")
_LITERAL = re.compile(r"``(.+?)``")
_EMPHASIS = re.compile(r"(?<![\w*\\])(\*{1,2})(?=\S)(.+?)(?<=[^\s\\])\1(?![\w*])")
_SUBSTITUTION = re.compile(r"(?<!\w)\|(\S[^|]*?)\|(?!\w)")
_ESCAPE = re.compile(r"\\([*`|_\\: ]|s\b)")
_TARGET = re.compile(r"^(.+?)\s*<[^<>]*>$", re.DOTALL)
_MODULE_ALIAS = re.compile(r"^_\w+\.")


@dataclass(slots=True)
class _Reader:
    """What is known while reading from top to bottom."""

    blocks: list[str] = field(default_factory=list)
    paragraph: list[str] = field(default_factory=list)
    paragraph_indent: int = 0
    cells: list[list[str]] = field(default_factory=list)
    skip_deeper_than: int | None = None
    in_options: bool = False
    in_doctest: bool = False
    in_simple_table: bool = False

    def flush(self) -> None:
        """End the paragraph; code follows one that ends in two colons."""
        text = " ".join(self.paragraph)
        if text.endswith("::"):
            self.skip_deeper_than = self.paragraph_indent
            text = text[:-1]
        for found in (text, *(" ".join(cell) for cell in self.cells)):
            prose = _inline(found)
            if any(letter.isalnum() for letter in prose):
                self.blocks.append(prose)
        self.paragraph, self.cells = [], []

    def add(self, text: str, indent: int) -> None:
        """Add a line to the paragraph."""
        if not self.paragraph:
            self.paragraph_indent = indent
        self.paragraph.append(text)

    def read(self, line: str, following: str) -> None:
        """Take in one line."""
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            self.flush()
            self.in_options = self.in_doctest = False
        elif self.skip_deeper_than is not None and indent > self.skip_deeper_than:
            return
        elif self.in_doctest or (self.in_options and _OPTION.match(text)):
            self.skip_deeper_than = None
        else:
            self.skip_deeper_than = None
            self._read_text(text, indent, following)

    def _read_text(self, text: str, indent: int, following: str) -> None:
        if _EXPLICIT.match(text):
            self.flush()
            self._read_explicit(text, indent)
        elif text.startswith(">>>"):
            self.flush()
            self.in_doctest = True
        elif _SIMPLE_BORDER.match(text):
            self.flush()
            self.in_simple_table = bool(following.strip())
        elif _SEPARATOR.match(text):
            self.flush()
        elif _GRID_ROW.match(text) and not _SUBSTITUTION.fullmatch(text):
            found = [cell.strip() for cell in text.strip("|").split("|")]
            if len(found) != len(self.cells):
                self.flush()
                self.cells = [[] for _ in found]
            for cell, words in zip(self.cells, found, strict=True):
                cell.append(words)
        else:
            self._read_prose(text, indent)

    def _read_explicit(self, text: str, indent: int) -> None:
        directive = _DIRECTIVE.match(text)
        if directive is None:
            footnote = _FOOTNOTE.match(text)
            if footnote:
                self.add(text[footnote.end() :], indent)
            else:  # a comment or a target
                self.skip_deeper_than = indent
            return
        substitution, name, argument = directive.groups()
        name = name.removeprefix("py:")
        if substitution or name in _DROPPED:
            self.skip_deeper_than = indent
        else:
            self.in_options = True
            if name in _PROSE_ARGUMENT and argument:
                self.add(argument, indent)

    def _read_prose(self, text: str, indent: int) -> None:
        item = False
        while (marker := _BULLET.match(text) or _FIELD.match(text)) is not None:
            text, item = text[marker.end() :], True
            indent += marker.end()
        if item or self.in_simple_table:
            self.flush()
        if _EXPLICIT.match(text):
            self._read_explicit(text, indent)
        elif text:
            self.add(text, indent)


def rst_to_text(source: str) -> str:
    r"""Reduce reStructuredText to its prose.

    Args:
        source: the text of a page.

    Returns:
        Paragraphs, titles, list items and table cells, each on one line, with an empty
        line between; empty if there is no prose.

    Example:
        >>> rst_to_text("Title\n=====\n\nSee :doc:`the guide </a/b>`::\n\n  x = 1")
        'Title\n\nSee the guide:'
    """
    reader = _Reader()
    lines = source.expandtabs(8).splitlines()
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        reader.read(line, following)
    reader.flush()
    return "\n\n".join(reader.blocks)


def _inline(text: str) -> str:
    text = _FOOTNOTE_MARK.sub("", text)
    text = _REFERENCE_WORD.sub(r"\1", text)
    # literals first, their insides are no markup: an escape stands in for backquotes
    text = _LITERAL.sub(lambda found: found[1].replace("`", ""), text)
    text = _ROLE.sub(lambda found: _shown(found[1]), text)
    text = _EMPHASIS.sub(r"\2", text)
    text = _SUBSTITUTION.sub(r"\1", text)
    text = _ESCAPE.sub(lambda found: found[1].strip(), text)
    return " ".join(text.split())


def _shown(content: str) -> str:
    """What a reader sees of a role: its title, or the last part of a short name."""
    titled = _TARGET.match(content)
    if titled:
        return titled[1]
    if content.startswith("~"):
        return content.rpartition(".")[2].removeprefix("~")
    return _MODULE_ALIAS.sub("", content.lstrip("!.@"))
