"""The file of the keys: whole, private, and refused when it is anything else."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from nextvec.app.access.key_file import (
    KeyFileError,
    create_key,
    read_keys,
    revoke_key,
)
from nextvec.training.errors import ProjectError
from nextvec.training.folders import only_writer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys.json"


def test_keys_come_back_as_they_were_made(path: Path) -> None:
    first, secret = create_key(path, "predict", "mobile")
    second, _ = create_key(path, "admin")

    found = read_keys(path)

    assert found == {first.id: first, second.id: second}
    assert found[first.id].is_of(secret)


def test_the_file_is_its_owners_alone_whatever_the_process_allows(path: Path) -> None:
    before = os.umask(0)
    try:
        create_key(path, "predict", "one")
        create_key(path, "predict", "two")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [
        found.name for found in path.parent.iterdir() if found.suffix == ".tmp"
    ] == []


def test_no_key_stands_in_the_file(path: Path) -> None:
    _, secret = create_key(path, "predict", "mobile")

    text = path.read_text()

    assert secret not in text
    assert secret.rpartition("_")[2] not in text


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_revoked_key_is_gone_and_the_others_stay(path: Path, by: str) -> None:
    kept, _ = create_key(path, "predict", "kept")
    gone, _ = create_key(path, "admin", "gone")

    assert revoke_key(path, getattr(gone, by)) == (gone, 1)

    assert read_keys(path) == {kept.id: kept}


def test_a_key_that_is_not_there_is_told_which_are(path: Path) -> None:
    create_key(path, "predict", "mobile")

    with pytest.raises(KeyFileError, match=r"\(mobile\), got 'mobil'"):
        revoke_key(path, "mobil")


def test_a_name_is_taken_once_also_by_an_id(path: Path) -> None:
    key, _ = create_key(path, "predict", "mobile")

    for name in ("mobile", key.id):
        with pytest.raises(KeyFileError, match=f"a key called {name} already"):
            create_key(path, "admin", name)


@pytest.mark.parametrize("name", ["", "two words", "a\nb", "é", 65 * "a"])
def test_a_name_that_cannot_stand_in_a_log_is_refused(path: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match="name: expected 1 to 64 letters"):
        create_key(path, "predict", name)
    assert not path.exists()


def test_a_new_id_is_drawn_again_where_it_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = create_key(path, "predict")
    drawn = iter([first.id, 64 * "0", "0123abcd", 64 * "1"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn))
    monkeypatch.setattr(
        "nextvec.app.access.key_file.write_bytes",
        lambda path, data, mode: path.write_bytes(data),  # noqa: ARG005
    )

    second, _ = create_key(path, "predict")

    assert second.id == "0123abcd"
    assert set(read_keys(path)) == {first.id, second.id}


def test_two_writers_do_not_lose_each_others_keys(path: Path) -> None:
    create_key(path, "predict", "one")
    held = os.open(path.parent / f".{path.name}.lock", os.O_RDWR)

    import fcntl  # noqa: PLC0415 - as another process would

    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(ProjectError, match="being written already"):
        create_key(path, "predict", "two")
    os.close(held)

    create_key(path, "predict", "two")
    assert len(read_keys(path)) == 2
    with only_writer(path):
        pass


def whole(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    key = {
        "id": "0123abcd",
        "name": "mobile",
        "scope": "predict",
        "sha256": 64 * "0",
        "created": "2026-11-27T00:00:00+00:00",
    }
    return {"format": 1, "keys": [key | changes]}


def test_the_example_is_a_whole_file(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(orjson.dumps(whole()))

    assert list(read_keys(path)) == ["0123abcd"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "EOF", id="empty"),
        pytest.param(b'{"format": 1, "keys": [', "EOF", id="cut off"),
        pytest.param(b"[]", "format", id="no object"),
        pytest.param(orjson.dumps(whole() | {"format": 2}), "format", id="version"),
        pytest.param(orjson.dumps(whole() | {"more": 1}), "more", id="unknown field"),
        pytest.param(orjson.dumps({"format": 1}), "keys", id="no keys"),
        pytest.param(orjson.dumps(whole(scope="root")), "scope", id="scope"),
        pytest.param(orjson.dumps(whole(sha256="0")), "sha256", id="hash"),
        pytest.param(orjson.dumps(whole(id="0123abcg")), "id", id="id"),
        pytest.param(orjson.dumps(whole(id="0123abcd\n")), "id", id="line"),
        pytest.param(orjson.dumps(whole(name="a b")), "name", id="name"),
        pytest.param(
            orjson.dumps({"format": 1, "keys": 2 * whole()["keys"]}),
            "a name of its own",
            id="the same key twice",
        ),
        pytest.param(
            orjson.dumps(
                {
                    "format": 1,
                    "keys": [
                        *whole()["keys"],
                        *whole(id="00000000", name="0123abcd")["keys"],
                    ],
                }
            ),
            "a name of its own",
            id="a name that is the id of another",
        ),
    ],
)
def test_a_broken_file_is_refused_and_not_written_over(
    path: Path, content: bytes, said: str
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    for use in (read_keys, lambda path: create_key(path, "predict")):
        with pytest.raises(KeyFileError, match=rf"keys\.json: .*{said}"):
            use(path)

    assert path.read_bytes() == content


def test_a_folder_is_no_file_of_keys(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read: Is a directory"):
        read_keys(tmp_path)
