import pytest

from nextvec.training.corpus.text.rst import rst_to_text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("Title\n=====\n\nText.", ["Title", "Text."], id="title"),
        pytest.param("===\n T\n===\nText.", ["T", "Text."], id="overline"),
        pytest.param("One\ntwo.\n\nThree.", ["One two.", "Three."], id="paragraphs"),
        pytest.param("Run::\n\n  x = 1\n\n  y\n\nEnd.", ["Run:", "End."], id="literal"),
        pytest.param("A.\n\n::\n\n  x = 1\n\nB.", ["A.", "B."], id="bare-colons"),
        pytest.param(
            ".. code-block:: python\n\n   x = 1\n\nEnd.", ["End."], id="code-block"
        ),
        pytest.param(">>> 1 + 1\n2\n\nEnd.", ["End."], id="doctest"),
        pytest.param(".. a comment\n   of two lines\n\nEnd.", ["End."], id="comment"),
        pytest.param(".. _anchor:\n\nEnd.", ["End."], id="target"),
        pytest.param("Text.\n\n__ http://x.y\n", ["Text."], id="anonymous-target"),
        pytest.param(
            ".. |x| replace:: y\n\n|x| and Pyramid |version|.",
            ["x and Pyramid version."],
            id="substitution",
        ),
        pytest.param(
            ".. note:: Look out.\n   It bites.", ["Look out. It bites."], id="note"
        ),
        pytest.param(
            ".. versionadded:: 3.2\n\n   A thing.", ["A thing."], id="versionadded"
        ),
        pytest.param(
            ".. method:: f(x)\n   :async:\n\n   Does it.", ["Does it."], id="method"
        ),
        pytest.param(
            ".. change::\n    :tags: a\n    :tickets: 1\n\n    Fixed.",
            ["Fixed."],
            id="options",
        ),
        pytest.param(
            ".. py:class:: Foo(bar)\n\n   A foo.", ["A foo."], id="domain-class"
        ),
        pytest.param("* one\n* two\n  more\n", ["one", "two more"], id="bullets"),
        pytest.param("1. one\n#. two", ["one", "two"], id="numbers"),
        pytest.param("* - a\n  - b", ["a", "b"], id="list-table-body"),
        pytest.param(
            "* .. attribute:: X\n\n  Text.", ["Text."], id="directive-in-item"
        ),
        pytest.param("| one\n| two", ["one", "two"], id="line-block"),
        pytest.param(":param x: the x\n:returns: it", ["the x", "it"], id="field-list"),
        pytest.param(":orphan:\n\nText.", ["Text."], id="field-without-body"),
        pytest.param(
            "==== ====\nName Use\n==== ====\na    b c\nd    e\n==== ====\n\nEnd.",
            ["Name Use", "a b c", "d e", "End."],
            id="simple-table",
        ),
        pytest.param(
            "+---+---+\n| a | b |\n|   | c |\n+---+---+\n| d | e |\n+---+---+",
            ["a", "b c", "d", "e"],
            id="grid-table",
        ),
        pytest.param(
            "Text [1]_.\n\n.. [1] The note.", ["Text.", "The note."], id="footnote"
        ),
        pytest.param("---\n\n***\n", [], id="transitions-only"),
        pytest.param("", [], id="empty"),
    ],
)
def test_blocks_become_paragraphs(source: str, expected: list[str]) -> None:
    text = rst_to_text(source)

    assert text.split("\n\n") == (expected or [""])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(":meth:`save`", "save", id="role"),
        pytest.param(":meth:`~a.b.save`", "save", id="tilde"),
        pytest.param(":class:`.Session`", "Session", id="leading-dot"),
        pytest.param(":func:`_sql.select`", "select", id="module-alias"),
        pytest.param(":class:`!Thing`", "Thing", id="no-link"),
        pytest.param(":doc:`the guide </a/b>`", "the guide", id="titled-role"),
        pytest.param("``x = y``", "x = y", id="literal"),
        pytest.param("`text <http://x.y>`_", "text", id="link"),
        pytest.param("`text`_ and word_.", "text and word.", id="references"),
        pytest.param("`text`__", "text", id="anonymous-reference"),
        pytest.param("*soft* and **loud**", "soft and loud", id="emphasis"),
        pytest.param("``*args`` stays", "*args stays", id="star-in-literal"),
        pytest.param(r"a \* b\ c", "a * bc", id="escapes"),
        pytest.param("snake_case and __init__ stay", None, id="underscores"),
    ],
)
def test_inline_markup_becomes_what_a_reader_sees(
    source: str, expected: str | None
) -> None:
    assert rst_to_text(source) == (expected or source)


def test_text_after_dropped_code_is_read_again() -> None:
    source = "- item::\n\n    code\n\n  back in the item\n\n- next"

    assert rst_to_text(source) == "item:\n\nback in the item\n\nnext"
