from pathlib import Path

import pytest

from nextvec.training.corpus.text.text import Document, clean_page, read_documents
from nextvec.training.errors import CorpusError


def test_a_folder_is_read_in_depth_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "page.rst").write_text("Title\n=====\n\n*Text*.")
    (tmp_path / "a.txt").write_text("plain *text*\n")
    (tmp_path / "c.MD").write_text("# Title\n")
    (tmp_path / "left.out").write_text("no")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "page.txt").write_text("no")
    (tmp_path / "folder.md").mkdir()

    documents = read_documents([tmp_path])

    assert documents == [
        Document("a.txt", "plain *text*\n"),
        Document("b/page.rst", "Title\n\nText."),
        Document("c.MD", "Title"),
    ]


def test_a_single_page_is_named_by_its_file(tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_bytes(b"\xef\xbb\xbfText.")

    assert read_documents([page]) == [Document("page.txt", "Text.")]


def test_neighboring_lines_of_one_document_are_joined(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(
        '{"document_id": "a", "text": "One."}\n'
        '{"document_id": "a", "text": "Two\\u2028."}\n\n'
        '{"document_id": 7, "text": "Three."}\n'
    )

    assert read_documents([file]) == [
        Document("a", "One.\n\nTwo\u2028."),
        Document("7", "Three."),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{", "line 2: expected a JSON object, found no JSON", id="broken"),
        pytest.param("[1]", "line 2: expected a JSON object, got list", id="list"),
        pytest.param('{"text": "x"}', "line 2: expected a document_id", id="no-id"),
        pytest.param('{"document_id": true, "text": "x"}', "got True", id="boolean-id"),
        pytest.param('{"document_id": "", "text": "x"}', "got ''", id="empty-id"),
        pytest.param(
            '{"document_id": "b", "text": 3}', "under 'text', got int", id="number"
        ),
        pytest.param(
            '{"document_id": "b", "text": ""}\n{"document_id": "a", "text": ""}',
            "line 3: document 'a' was already read from .*line 1",
            id="document-comes-back",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(f'{{"document_id": "a", "text": "x"}}\n{line}\n')

    with pytest.raises(CorpusError, match=message) as refused:
        read_documents([file])

    assert str(file) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("x.jsonl", b"\n", "found no line", id="empty-jsonl"),
        pytest.param("x.txt", b"caf\xe9", "expected UTF-8 text, byte 3", id="latin-1"),
        pytest.param("x.pdf", b"", "found another kind of file", id="pdf"),
        pytest.param("x.txt", None, "cannot be read: No such file", id="missing-page"),
        pytest.param("x", None, "found nothing there", id="missing"),
    ],
)
def test_a_bad_file_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CorpusError, match=message) as refused:
        read_documents([file])

    assert str(file) in str(refused.value)


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected pages \(.txt, .md, .rst\)"):
        read_documents([tmp_path])


def test_two_pages_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text("x")

    with pytest.raises(CorpusError, match=r"'x.txt' was already read from .*a/x.txt"):
        read_documents([tmp_path / "a", tmp_path / "b"])


def test_a_page_of_unknown_markup_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match=r"got '\.html'"):
        clean_page("", ".html")
