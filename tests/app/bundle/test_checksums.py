import hashlib
from pathlib import Path

import pytest

from nextvec.app.bundle.checksums import Checksums, sha256_of
from nextvec.training.errors import BundleError


def test_bytes_are_counted_in_megabytes_over_all_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a" * 1_500_000)
    other.write_bytes(b"b" * 1_000_000)
    told: list[tuple[int, int]] = []
    checksums = Checksums([one, other], lambda *step: told.append(step))

    assert checksums.of(one) == hashlib.sha256(b"a" * 1_500_000).hexdigest()
    assert told[-1] == (2, 3)
    assert checksums.of(other) == sha256_of(other)

    assert told == sorted(told)
    assert (told[0], told[-1]) == ((1, 3), (3, 3))


def test_a_missing_file_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    checksums = Checksums([tmp_path / "gone"])

    with pytest.raises(BundleError, match="gone: missing from the bundle"):
        checksums.of(tmp_path / "gone")
