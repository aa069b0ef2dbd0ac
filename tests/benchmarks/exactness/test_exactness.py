"""Exact kinds are asked in chunks, and one that answers otherwise is told of."""

import sys

import numpy as np
import pytest

from benchmarks.exactness import __main__ as command
from nextvec.app.bundle.screened import ScreenedSearcher
from nextvec.app.bundle.searcher import Candidates


def _run(monkeypatch: pytest.MonkeyPatch, *told: str) -> None:
    arguments = ["exactness", "--rows=600", "--queries=200", "--chunk=96", *told]
    monkeypatch.setattr(sys, "argv", arguments)
    command.main()


def test_all_queries_are_asked_and_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        f"random, chunk {number}" for number in range(3)
    ]
    last = lines[-1]
    assert last.startswith("random, 600 rows: 200 queries, 0 answered otherwise, ")
    tied = int(last.split(" with equal scores")[0].split(", ")[-1])
    assert tied > 0


def test_no_chunk_begins_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, "--minutes=0", "--first=7")

    said = capsys.readouterr().out
    assert "the time is over; go on with --first 7" in said
    assert "0 queries" in said


def test_chunks_do_not_depend_on_where_a_run_begins() -> None:
    def chunks(queries: int, first: int) -> list[tuple[int, int]]:
        asking = command.Asking(
            name="random", queries=queries, chunk=96, first=first, minutes=1.0
        )
        return list(asking.chunks())

    whole, rest = chunks(200, 0), chunks(104, 1)

    assert whole == [(0, 96), (1, 96), (2, 8)]
    assert rest == whole[1:]


def test_a_kind_that_answers_otherwise_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = ScreenedSearcher.candidates

    def lossy(self: ScreenedSearcher, *told: object) -> list[Candidates]:
        # nothing is said to be better than what was found, though the best is left out
        return [
            Candidates(found.rows[1:], float(-np.inf))
            for found in honest(self, *told)  # type: ignore[arg-type]
        ]

    monkeypatch.setattr(ScreenedSearcher, "candidates", lossy)

    with pytest.raises(SystemExit):
        _run(monkeypatch)

    assert "0 answered otherwise" not in capsys.readouterr().out.splitlines()[-1]
