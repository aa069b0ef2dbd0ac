"""A running service takes up what becomes of its keys, and never opens by accident."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from nextvec.app.access.key_file import KeyFileError, create_key, revoke_key
from nextvec.app.access.key_ring import LOOKS_EVERY_S, KeyRing
from nextvec.app.errors import KeysUnusableError

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def tick(self) -> None:
        self.now_s += LOOKS_EVERY_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_without_a_file_everyone_is_answered(path: Path, clock: Clock) -> None:
    ring = KeyRing(path, clock=clock)

    assert ring.is_open


def test_a_file_that_has_to_be_there_is_named_where_it_is_not(path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"keys\.json: .*found no file"):
        KeyRing(path, is_required=True)


def test_a_broken_file_is_no_start(path: Path) -> None:
    path.write_text("{")

    with pytest.raises(KeyFileError, match="expected keys of format 1"):
        KeyRing(path)


def test_the_one_key_opens_and_no_other(path: Path) -> None:
    key, secret = create_key(path, "predict")
    _, other = create_key(path.with_name("other.json"), "predict")
    ring = KeyRing(path)

    assert not ring.is_open
    assert ring.find(secret) == key
    # the right id, another secret; and what is no key at all
    for wrong in (other, secret[:-1] + ("0" if secret[-1] != "0" else "1"), "", "é"):
        assert ring.find(wrong) is None


def test_the_first_key_closes_a_running_service(path: Path, clock: Clock) -> None:
    ring = KeyRing(path, clock=clock)

    key, secret = create_key(path, "predict")
    seen = [ring.is_open]
    clock.tick()
    seen.append(ring.is_open)

    assert seen == [True, False]
    assert ring.find(secret) == key


def test_a_revoked_key_is_invalid_within_a_second(path: Path, clock: Clock) -> None:
    key, secret = create_key(path, "predict")
    ring = KeyRing(path, clock=clock)

    revoke_key(path, key.id)

    assert ring.find(secret) == key
    clock.tick()
    assert ring.find(secret) is None


def test_no_key_left_lets_nobody_in(path: Path, clock: Clock) -> None:
    key, _ = create_key(path, "predict")
    revoke_key(path, key.id)

    ring = KeyRing(path, clock=clock)

    assert not ring.is_open


@pytest.mark.parametrize("is_broken", [True, False], ids=["broken", "removed"])
def test_an_accident_with_the_file_lets_nobody_in_and_is_told(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, is_broken: bool
) -> None:
    _, secret = create_key(path, "predict")
    whole = path.read_bytes()
    ring = KeyRing(path, clock=clock)

    if is_broken:
        path.write_bytes(whole[:-10])
    else:
        path.unlink()
    clock.tick()

    with caplog.at_level(logging.INFO):
        assert not ring.is_open
    with pytest.raises(KeysUnusableError, match="until that is mended"):
        ring.find(secret)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert str(path) in vars(record)["reason"]

    # and the service goes on as soon as it is whole again
    path.write_bytes(whole)
    clock.tick()
    assert ring.find(secret) is not None


def test_where_the_file_cannot_be_looked_at_nobody_is_let_in(
    tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "folder"
    _, secret = create_key(folder / "keys.json", "predict")
    ring = KeyRing(folder / "keys.json", clock=clock)
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()
    folder.write_text("no folder")
    clock.tick()

    with pytest.raises(KeysUnusableError):
        ring.find(secret)


def test_the_file_is_read_only_when_it_has_changed(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    _, secret = create_key(path, "predict")
    ring = KeyRing(path, clock=clock)

    with caplog.at_level(logging.INFO):
        for _ in range(5):
            clock.tick()
            ring.find(secret)
        assert caplog.records == []
        create_key(path, "predict")
        clock.tick()
        ring.find(secret)

    assert [record.message for record in caplog.records] == ["keys are taken up"]
