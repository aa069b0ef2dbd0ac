"""The history of a run as a table that spreadsheets open."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from nextvec.training.files import write_bytes
from nextvec.training.listener import Epoch


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """Write one line for each epoch, one column for each figure."""
    text = io.StringIO()
    columns = [field.name for field in fields(Epoch)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        writer.writerow(epoch.to_dict())
    write_bytes(path, text.getvalue().encode())
