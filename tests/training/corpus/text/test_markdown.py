import pytest

from nextvec.training.corpus.text.markdown import markdown_to_text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("# Title #\nText.", ["Title", "Text."], id="title"),
        pytest.param("Title\n=====\n\nText.", ["Title", "Text."], id="setext"),
        pytest.param("One\ntwo.\n\nThree.", ["One two.", "Three."], id="paragraphs"),
        pytest.param("A.\n\n```py\nx = 1\n\ny\n```\nB.", ["A.", "B."], id="fence"),
        pytest.param("~~~\nx\n```\ny\n~~~\nB.", ["B."], id="tilde-fence"),
        pytest.param("````\n```\nx\n````\nB.", ["B."], id="longer-fence"),
        pytest.param("> ```\n> x\n> ```\nB.", ["B."], id="fence-in-a-quote"),
        pytest.param("A.\n\n    x = 1\n\nB.", ["A.", "B."], id="indented-code"),
        pytest.param("- one\n- two\n\n    more", ["one", "two", "more"], id="list"),
        pytest.param("1. one\n2. two", ["one", "two"], id="numbers"),
        pytest.param("- a\n\nText.\n\n    code", ["a", "Text."], id="after-a-list"),
        pytest.param("> said\n> he", ["said", "he"], id="quote"),
        pytest.param("| a | b |\n|---|:-:|\n| c | d |", ["a b", "c d"], id="table"),
        pytest.param("---\ntitle: x\n---\nText.", ["Text."], id="front-matter"),
        pytest.param("A <!-- no\nno --> b.", ["A b."], id="comment"),
        pytest.param("A.\n\n[x]: http://x.y\n\nB.", ["A.", "B."], id="definition"),
        pytest.param("A.\r\n\r\nB.", ["A.", "B."], id="carriage-returns"),
        pytest.param("***\n\n- - -", [], id="rules-only"),
    ],
)
def test_blocks_become_paragraphs(source: str, expected: list[str]) -> None:
    text = markdown_to_text(source)

    assert text.split("\n\n") == (expected or [""])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("[text](http://x.y)", "text", id="link"),
        pytest.param("[text][ref]", "text", id="reference"),
        pytest.param("see ![alt](x.png) it", "see it", id="image"),
        pytest.param("`code` and ``a ` b``", "code and a ` b", id="code"),
        pytest.param("*soft* __loud__ ***both***", "soft loud both", id="emphasis"),
        pytest.param("**a *b* c**", "a b c", id="nested-emphasis"),
        pytest.param("<b>x</b> <http://x.y>", "x http://x.y", id="tags"),
        pytest.param(r"\*not\*", "*not*", id="escapes"),
        pytest.param("snake_case_name and 2 * 3 * 4", None, id="no-emphasis"),
    ],
)
def test_inline_markup_becomes_what_a_reader_sees(
    source: str, expected: str | None
) -> None:
    assert markdown_to_text(source) == (expected or source)
