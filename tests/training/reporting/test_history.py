import csv
from dataclasses import fields
from pathlib import Path

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.listener import Epoch
from nextvec.training.reporting.history import write_history
from nextvec.training.run_folder import HISTORY


def test_the_table_has_a_row_for_every_epoch(finished_run: Path) -> None:
    history = read_checkpoint_card(finished_run)["history"]

    with (finished_run / HISTORY).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == len(history) >= 2
    assert list(rows[0]) == [field.name for field in fields(Epoch)]
    for row, epoch in zip(rows, history, strict=True):
        assert int(row["number"]) == epoch["number"]
        assert float(row["score"]) == epoch["score"]
        assert float(row["validation_loss"]) == epoch["validation_loss"]
        assert row["is_best"] == str(epoch["is_best"])
    assert rows[0]["step_loss"] == ""
    assert float(rows[1]["step_loss"]) == history[1]["step_loss"]


def test_a_run_without_an_epoch_has_only_the_header(tmp_path: Path) -> None:
    write_history(tmp_path / HISTORY, [])

    assert (tmp_path / HISTORY).read_text().splitlines() == [
        ",".join(field.name for field in fields(Epoch))
    ]
