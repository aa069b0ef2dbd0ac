"""What a corpus was made of, so that another source under its name is told apart."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nextvec.training.errors import CorpusError

Source = Literal["sample", "text", "vectors", "items"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Contents and options that a corpus follows from; kept in its card."""

    kind: Source
    """What was read, as ``nextvec corpus`` names it."""

    checksum: str
    """SHA-256 of what was read, in hexadecimal digits."""

    options: dict[str, Any]
    """What else the corpus depends on, as JSON holds it."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Say how what is wanted differs from what a card records.

        Args:
            recorded: of a card, as `to_dict` gave it.

        Returns:
            One phrase for each difference; empty if the corpus is the same.
        """
        if self.kind != recorded.get("kind"):
            return [f"it was made from {recorded.get('kind')}, and this is {self.kind}"]
        told = []
        if self.checksum != recorded.get("checksum"):
            was = str(recorded.get("checksum"))
            told.append(
                "it was made from other contents (SHA-256 "
                f"{was[:8]}…, and this is {self.checksum[:8]}…)"
            )
        options = recorded.get("options", {})
        told += [
            f"{name.replace('_', ' ')} was {options.get(name)}, and this is {value}"
            for name, value in self.options.items()
            if options.get(name) != value
        ]
        return told


def checksum_of_files(files: Sequence[Path], names: Sequence[str]) -> str:
    """Return the SHA-256 of some files and what they are called.

    Args:
        files: in order; each is read whole, a block at a time.
        names: what each is called in the corpus, which makes ids: a file that moved
            is the same, one that was renamed is not.

    Raises:
        CorpusError: one cannot be read.
    """
    digest = hashlib.sha256()
    for path, name in zip(files, names, strict=True):
        try:
            with path.open("rb") as file:
                contents = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror}"
            raise CorpusError(msg) from error
        # of fixed length, so that no name can pass for a part of another
        digest.update(hashlib.sha256(name.encode()).digest() + contents)
    return digest.hexdigest()
