from pathlib import Path

import polars as pl
import pytest

from nextvec.training.corpus.items.tables import as_text, parse_tsv, read_table
from nextvec.training.errors import CorpusError


def write(table: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".jsonl":
        table.write_ndjson(path)
    else:
        table.write_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_wanted_columns_are_read_in_order(tmp_path: Path, suffix: str) -> None:
    table = pl.DataFrame({"b": ["x", "y"], "more": [1, 2], "a": ["1", "0"]})
    path = write(table, tmp_path / f"t[1]*{suffix}")  # no pattern of other files
    write(table.reverse(), tmp_path / f"t1{suffix}")

    found = read_table(path, ("a", "b"))

    assert found.to_dict(as_series=False) == {"a": ["1", "0"], "b": ["x", "y"]}


def test_zeros_in_front_of_an_id_stay(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbfitem\n007\n"a,b"\n')

    found = read_table(tmp_path / "t.csv", ("item",))

    assert found["item"].to_list() == ["007", "a,b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("t.txt", b"", r"as \.jsonl, \.csv, \.parquet", id="suffix"),
        pytest.param("t.csv", b"", r"whole \.csv table", id="empty"),
        pytest.param("t.csv", b"a,b\n\xff,\xfe\n", r"whole \.csv table", id="latin-1"),
        pytest.param("t.csv", b"a,b\n1,2,3\n", r"whole \.csv table", id="ragged"),
        pytest.param("t.jsonl", b'{"a": 1, \n', r"whole \.jsonl table", id="json"),
        pytest.param("t.parquet", b"hello", r"whole \.parquet table", id="parquet"),
        pytest.param(
            "t.csv", b"user,film\n1,2\n", "column 'a' and 'b', found user, film", id="2"
        ),
        pytest.param("t.csv", b"a,film\n1,2\n", "column 'b', found a, film", id="1"),
    ],
)
def test_a_file_of_something_else_is_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(CorpusError, match=message) as refused:
        read_table(tmp_path / name, ("a", "b"))

    assert str(refused.value).startswith(f"{tmp_path / name}: expected")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.jsonl", "gone.parquet", "dir.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "dir.csv").mkdir()

    with pytest.raises(CorpusError, match=rf"{name}: expected a whole"):
        read_table(tmp_path / name, ("a",))


def test_quotes_in_a_tsv_are_text() -> None:
    found = parse_tsv(b'a\tb\n"x\t1\n', ("a",), "here")

    assert found["a"].to_list() == ['"x']


def test_a_damaged_tsv_is_named() -> None:
    with pytest.raises(CorpusError, match="here: expected a whole table"):
        parse_tsv(b"", ("a",), "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([1.5, 2.0], "whole numbers or text, got Float64", id="float"),
        pytest.param([True, False], "whole numbers or text, got Boolean", id="bool"),
        pytest.param(["a", None, None], r"2 of 3 are missing, .* row 1", id="null"),
        pytest.param(["a", ""], r"1 of 2 are missing, .* row 1", id="empty"),
    ],
)
def test_what_cannot_be_an_id_is_refused(values: list[object], message: str) -> None:
    with pytest.raises(CorpusError, match=f"t: item: expected .*{message}"):
        as_text(pl.Series("item", values), "t: item")
