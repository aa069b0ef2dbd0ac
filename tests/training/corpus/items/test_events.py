from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.items.event_columns import EventColumns
from nextvec.training.corpus.items.events import order_events, read_events
from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.errors import CorpusError

COLUMNS = EventColumns()


def as_dict(found: ItemSequences) -> dict[str, list[str]]:
    return {
        name: [found.item_ids[item] for item in items]
        for name, items in zip(found.sequence_ids, found.sequences(), strict=True)
    }


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("sequence,item,time", *rows)))
    return path


def test_events_of_several_files_are_sorted_by_time(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", "u,c,3", "v,a,1", "u,a,1")
    two = tmp_path / "two.parquet"
    pl.DataFrame({"sequence": ["u"], "item": ["b"], "time": [1.5]}).write_parquet(two)

    found = read_events([one, two], COLUMNS)

    assert as_dict(found) == {"u": ["a", "b", "c"], "v": ["a"]}
    assert found.source == f"{one}, {two}"


def test_equal_times_keep_their_order_and_items_recur(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", *(f"u,{item},7" for item in "bacab"))

    assert as_dict(read_events([path], COLUMNS)) == {"u": list("bacab")}


def test_a_file_without_rows_says_nothing_about_times(tmp_path: Path) -> None:
    june, july = write(tmp_path / "june.csv"), tmp_path / "july.csv"
    write(july, "u,b,2026-07-02", "u,a,2026-07-01")

    assert as_dict(read_events([june, july], COLUMNS)) == {"u": ["a", "b"]}
    with pytest.raises(CorpusError, match=r"june\.csv: expected events, found none"):
        read_events([june], COLUMNS)


def test_one_column_cannot_be_two_things() -> None:
    with pytest.raises(CorpusError, match=r"three different columns .* got 'a', 'a'"):
        EventColumns(sequence="a", item="a")


def test_columns_can_have_other_names(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"user": 7, "film": 1, "at": 2, "stars": [1]}\n{"user": 7, "film": 2, "at": 1}'
    )

    found = read_events(
        [tmp_path / "t.jsonl"], EventColumns(sequence="user", item="film", time="at")
    )

    assert as_dict(found) == {"7": ["2", "1"]}


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(["1700000000000000001", "1700000000000000002"], id="nanoseconds"),
        pytest.param(["-1.5", "2e3"], id="fractions"),
        pytest.param(["2024-02-29", "2024-03-01T00:00:00.000001"], id="dates"),
        pytest.param(["1969-12-31T23:59:59.5", "1970-01-01T00:00:00Z"], id="epoch"),
        pytest.param(["2024-01-01T12:00:00+02:00", "2024-01-01T10:30:00Z"], id="zones"),
        pytest.param(["2024-01-01T10:00:00Z", "2024-01-01 10:00:01"], id="no-zone"),
    ],
)
def test_times_of_every_form_are_compared(tmp_path: Path, times: list[str]) -> None:
    early, late = times
    path = write(tmp_path / "t.csv", f"u,late,{late}", f"u,early,{early}")

    assert as_dict(read_events([path], COLUMNS)) == {"u": ["early", "late"]}


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ns"), pl.Datetime("ms")])
def test_timestamps_of_parquet_are_compared_with_text(
    tmp_path: Path, dtype: pl.DataType
) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.csv"
    time = pl.Series("time", ["2024-01-02"]).str.to_date().cast(dtype)
    pl.DataFrame({"sequence": ["u"], "item": ["b"], "time": time}).write_parquet(one)
    write(two, "u,a,2024-01-01", "u,c,2024-01-03")

    assert as_dict(read_events([one, two], COLUMNS)) == {"u": ["a", "b", "c"]}


@given(st.permutations([(s, i, t) for s in "uv" for t, i in enumerate("cabd")]))
def test_the_order_of_the_rows_changes_nothing(
    rows: list[tuple[str, str, int]],
) -> None:
    table = pl.DataFrame(rows, schema=["sequence", "item", "time"], orient="row")

    found = order_events(table, "here")

    assert as_dict(found) == {"u": list("cabd"), "v": list("cabd")}
    assert found.item_ids == list("abcd")
    assert found.lengths.tolist() == [4, 4]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param("u,a,", "time: expected a value in every row, 1 of 2", id="null"),
        pytest.param("u,,1", "item: expected a value in every row", id="no-item"),
        pytest.param(",a,1", "sequence: expected a value in every row", id="no-seq"),
        pytest.param(
            "u,a,noon", "time: row 1: expected a number .*, got 'noon'", id="word"
        ),
        pytest.param("u,a,NaN", "time: expected a value in every row", id="nan"),
    ],
)
def test_a_value_that_cannot_be_is_named(
    tmp_path: Path, row: str, message: str
) -> None:
    path = write(tmp_path / "t.csv", "u,b,1", row)

    with pytest.raises(CorpusError, match=rf"t\.csv: {message}"):
        read_events([path], COLUMNS)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        pytest.param(
            ("1", "2024-01-01"), "row 1: expected a number as in row 0", id="numbers"
        ),
        pytest.param(
            ("2024-01-01", "1"), "row 1: expected a timestamp .* row 0", id="timestamps"
        ),
        pytest.param(("noon", "2"), "row 0: expected a number or a", id="neither"),
    ],
)
def test_times_of_two_kinds_in_a_file_are_refused(
    tmp_path: Path, times: tuple[str, str], message: str
) -> None:
    path = write(tmp_path / "t.csv", *(f"u,a,{time}" for time in times))

    with pytest.raises(CorpusError, match=rf"t\.csv: time: {message}"):
        read_events([path], COLUMNS)


def test_times_of_two_kinds_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", "u,a,1")
    two = write(tmp_path / "two.csv", "u,a,2024-01-01")

    with pytest.raises(
        CorpusError, match=r"two\.csv: time: expected numbers as in .*one\.csv, got"
    ):
        read_events([one, two], COLUMNS)


def test_a_time_of_no_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"sequence": [1], "item": [1], "time": [[1]]}).write_parquet(path)

    with pytest.raises(CorpusError, match=r"time: expected numbers or .* got List"):
        read_events([path], COLUMNS)


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv")

    with pytest.raises(CorpusError, match=r"t\.csv: expected events, found none"):
        read_events([path], COLUMNS)
