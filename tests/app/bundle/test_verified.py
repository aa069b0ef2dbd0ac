import hashlib
import os
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.checksums import Checksums
from nextvec.app.bundle.manifest import MANIFEST, Manifest
from nextvec.app.bundle.vectors import VECTORS
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from tests.app.conftest import World

Read = list[str]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "verified.json"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was written long ago."""
    path = tmp_path / "vectors.npy"
    path.write_bytes(b"whole")
    pretend_later(monkeypatch, path)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Names of the files that were read."""
    names: Read = []
    real = hashlib.file_digest

    def digest(file: BufferedReader, kind: Callable[[], Any]) -> object:
        names.append(Path(file.name).name)
        return real(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    return names


def pretend_later(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let a minute pass since a file was changed: nobody can set a ctime back."""
    changed = path.stat().st_ctime_ns
    monkeypatch.setattr("time.time_ns", lambda: changed + 60 * 10**9)


def checksum_of(file: Path, record: Path) -> str:
    """Take a checksum as a process of its own would."""
    return Checksums([file], verified=VerifiedFiles(record)).all()[file.name]


def test_a_file_that_nobody_changed_is_read_once(
    file: Path, record: Path, read: Read
) -> None:
    first = checksum_of(file, record)
    again = checksum_of(file, record)

    assert first == again == hashlib.sha256(b"whole").hexdigest()
    assert read == ["vectors.npy"]
    assert record.stat().st_mode & 0o777 == 0o600


def test_without_a_record_every_file_is_read(
    file: Path, record: Path, read: Read
) -> None:
    checksum_of(file, record)

    Checksums([file]).all()

    assert read == ["vectors.npy"] * 2


def test_bytes_that_are_not_read_are_counted(file: Path, record: Path) -> None:
    told: list[tuple[int, int]] = []
    checksum_of(file, record)

    Checksums([file], lambda *one: told.append(one), VerifiedFiles(record)).all()

    assert told == [(1, 1)]


def in_place(path: Path) -> None:
    """Change a file, and set its times back as far as that can be done."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"wrong")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_another(path: Path) -> None:
    """Put another file of the same size and time in its place."""
    before, other = path.stat(), path.with_name("other")
    other.write_bytes(b"wrong")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [in_place, by_another])
def test_a_file_that_was_changed_is_read_whatever_its_time(
    file: Path, record: Path, change: Callable[[Path], None]
) -> None:
    checksum_of(file, record)

    change(file)

    assert checksum_of(file, record) == hashlib.sha256(b"wrong").hexdigest()


def test_a_file_that_was_just_written_is_not_remembered(
    tmp_path: Path, record: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vectors.npy"
    file.write_bytes(b"whole")
    changed = file.stat().st_ctime_ns
    monkeypatch.setattr("time.time_ns", lambda: changed + 10**9)

    checksum_of(file, record)
    checksum_of(file, record)

    assert read == ["vectors.npy"] * 2
    assert not record.exists()


def test_a_file_that_changed_while_it_was_read_is_not_remembered(
    file: Path, record: Path
) -> None:
    verified, before = VerifiedFiles(record), file.stat()
    in_place(file)

    verified.note(before, file.stat(), "0" * 64)

    assert verified.find(before) is None
    assert verified.find(file.stat()) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"format": 1, "checksums": {"1": 2}}', id="no text"),
        pytest.param(b'{"format": 9, "checksums": {}}', id="format"),
    ],
)
def test_a_record_that_cannot_be_read_is_made_anew(
    file: Path, record: Path, read: Read, content: bytes
) -> None:
    record.parent.mkdir()
    record.write_bytes(content)

    for _ in range(2):
        assert checksum_of(file, record) == hashlib.sha256(b"whole").hexdigest()

    assert read == ["vectors.npy"]


def test_a_record_that_others_can_write_is_not_believed(
    file: Path, record: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checksum_of(file, record)
    spoil(record)
    record.chmod(0o664)

    assert checksum_of(file, record) == hashlib.sha256(b"whole").hexdigest()

    assert "no record of checksums" in caplog.text


def spoil(record: Path) -> None:
    """Let it say something else of every file."""
    content = orjson.loads(record.read_bytes())
    content["checksums"] = dict.fromkeys(content["checksums"], "0" * 64)
    record.write_bytes(orjson.dumps(content))


def test_the_oldest_of_many_files_is_forgotten(
    file: Path, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = file.with_name("other")
    other.write_bytes(b"other")
    pretend_later(monkeypatch, other)
    monkeypatch.setattr("nextvec.app.bundle.verified._MOST", 1)

    for one in (file, other):
        checksum_of(one, record)

    verified = VerifiedFiles(record)
    assert verified.find(file.stat()) is None
    assert verified.find(other.stat()) == hashlib.sha256(b"other").hexdigest()


def test_where_nothing_can_be_written_nothing_is_remembered(
    file: Path, tmp_path: Path, read: Read
) -> None:
    (tmp_path / "cache").write_text("a file, where the folder would be")

    for _ in range(2):
        checksum_of(file, tmp_path / "cache" / "verified.json")

    assert read == ["vectors.npy"] * 2


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)

    verified = VerifiedFiles.of_user()

    verified.save()
    assert verified.find(os.stat_result(range(10))) is None


def test_a_record_that_is_wrong_refuses_no_bundle(
    world: World, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.bundles / world.version
    manifest, vectors = Manifest.load(folder), folder / VECTORS
    pretend_later(monkeypatch, folder / MANIFEST)
    manifest.verify(folder, verified=VerifiedFiles(record))
    spoil(record)

    assert VerifiedFiles(record).find(vectors.stat()) == "0" * 64
    manifest.verify(folder, verified=VerifiedFiles(record))


def test_a_service_reads_again_what_was_changed_or_all_if_it_is_told(
    bundles: Path, record: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextvec.app.bundle.verified.RECORD", str(record))
    version = Registry(bundles).live().name
    names = sorted(Manifest.load(bundles / version).files)
    # the copy that was written last
    newest = max((bundles / version).iterdir(), key=lambda one: one.stat().st_ctime_ns)
    pretend_later(monkeypatch, newest)
    told = Settings(bundles=bundles, threads=1)

    def names_read(settings: Settings) -> list[str]:
        read.clear()
        with TestClient(create_app(settings)) as client:
            assert client.get("/readyz").status_code == 200
        return sorted(read)

    assert names_read(told) == names
    assert names_read(told) == []
    assert names_read(told.model_copy(update={"verify": "all"})) == names
    in_place(bundles / version / VECTORS)
    with TestClient(create_app(told)) as client:
        refused = client.get("/readyz")
    assert refused.status_code == 503
