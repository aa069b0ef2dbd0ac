"""Prose out of Markdown: what a reader reads, without markup and code.

The forms are those of CommonMark (https://spec.commonmark.org/), with the tables and
the front matter that most sites add. Code, images and comments go; titles, list items,
links' texts and table rows stay.
"""

import re
from dataclasses import dataclass, field

_FENCE = re.compile(r"(`{3,}|~{3,})")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TITLE = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_TABLE_ROW = re.compile(r"(\|.*)$")
_QUOTE = re.compile(r"^(?:\s*>)+")
_SEPARATOR = re.compile(
    r"([-=_*])\s*(?:\1\s*)+$"  # a rule, or the line under a title
    r"|\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?$"  # below the head of a table
    r"|\[[^\]]+\]:\s+\S"  # where a link goes to
)
_BULLET = re.compile(r"(?:>|[*+-](?=\s)|\d+[.)](?=\s))\s*")
_INDENTED_CODE = re.compile(r"(?: {4}|\t)")

_IMAGE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])")
_AUTOLINK = re.compile(r"<(https?://[^>\s]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_CODE = re.compile(r"(`+)(.+?)\1")
_EMPHASIS = re.compile(
    r"(?<![\w*_\\])(\*{1,3}|_{1,3})(?=\S)(.+?)(?<=[^\s\\])\1(?![\w*_])"
)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(slots=True)
class _Reader:
    """What is known while reading from top to bottom."""

    blocks: list[str] = field(default_factory=list)
    paragraph: list[str] = field(default_factory=list)
    fence: str = ""
    in_list: bool = False

    def flush(self) -> None:
        """End the paragraph."""
        prose = _inline(" ".join(self.paragraph))
        if any(letter.isalnum() for letter in prose):
            self.blocks.append(prose)
        self.paragraph = []

    def read(self, line: str) -> None:
        """Take in one line."""
        text = line.strip()
        unquoted = _QUOTE.sub("", line).strip()
        if self.fence:
            if unquoted.startswith(self.fence) and not unquoted.strip(self.fence[0]):
                self.fence = ""
        elif opening := _FENCE.match(unquoted):
            self.flush()
            self.fence = opening[1]
        elif not text or _SEPARATOR.match(text):
            self.flush()
        elif not _INDENTED_CODE.match(line) or self.paragraph or self.in_list:
            self._read_prose(text, indented=line[0].isspace())

    def _read_prose(self, text: str, *, indented: bool) -> None:
        block = _TITLE.match(text) or _TABLE_ROW.match(text)
        if block:
            self.flush()
            self.paragraph = [block[1].replace("|", " ")]
            self.flush()
            self.in_list = False
            return
        is_item = False
        while marker := _BULLET.match(text):
            text, is_item = text[marker.end() :], True
        if is_item:
            self.flush()
            self.in_list = True
        elif not self.paragraph:
            self.in_list = self.in_list and indented
        self.paragraph.append(text)


def markdown_to_text(source: str) -> str:
    r"""Reduce Markdown to its prose.

    Args:
        source: the text of a page.

    Returns:
        Paragraphs, titles, list items and table rows, each on one line, with an empty
        line between; empty if there is no prose.

    Example:
        >>> markdown_to_text("# Title\n\nSee [the *guide*](g.md).\n\n    x = 1")
        'Title\n\nSee the guide.'
    """
    reader = _Reader()
    source = _FRONT_MATTER.sub("", source.replace("\r\n", "\n"))
    for line in _COMMENT.sub("", source).split("\n"):
        reader.read(line)
    reader.flush()
    return "\n\n".join(reader.blocks)


def _inline(text: str) -> str:
    text = _IMAGE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _CODE.sub(lambda found: found[2].strip(), text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _TAG.sub("", text)
    text = _EMPHASIS.sub(r"\2", text)
    text = _EMPHASIS.sub(r"\2", text)
    text = _ESCAPE.sub(r"\1", text)
    return " ".join(text.split())
