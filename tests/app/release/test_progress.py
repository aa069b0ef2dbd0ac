"""What building and loading a bundle say of how far they are."""

import logging
from collections.abc import Iterable
from pathlib import Path

import pytest

from nextvec.app.inference.golden import open_engine
from nextvec.app.release.building import build_bundle
from nextvec.app.release.loading import LoadingLog
from nextvec.app.release.registry import Registry
from tests.app.conftest import World

Told = list[tuple[str, int, int]]


def stages(told: Told) -> list[str]:
    return list(dict.fromkeys(stage for stage, _, _ in told))


def ends(told: Told) -> Iterable[bool]:
    last = {stage: (done, total) for stage, done, total in told}
    return (done == total > 0 for done, total in last.values())


def test_each_part_of_building_comes_to_its_end(world: World, tmp_path: Path) -> None:
    told: Told = []

    built = build_bundle(world.run, tmp_path, progress=lambda *one: told.append(one))

    assert stages(told) == [
        "moving vectors into the searched space",
        "writing files",
        "taking checksums, in MB",
        "trying the bundle",
    ]
    assert all(ends(told))
    assert told[0] == (stages(told)[0], *[built.manifest.num_vectors] * 2)


def test_loading_and_promoting_tell_of_the_checksums(world: World) -> None:
    loaded: Told = []
    promoted: Told = []

    open_engine(world.bundles / world.version, progress=lambda *one: loaded.append(one))
    Registry(world.bundles).promote(
        world.version, progress=lambda *one: promoted.append(one)
    )

    assert stages(loaded) == ["comparing checksums, in MB"]
    assert all(ends(loaded))
    # files are read in no particular order
    assert (stages(promoted), promoted[-1]) == (stages(loaded), loaded[-1])


def test_a_load_that_takes_long_is_logged_every_two_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = iter([0.0, 0.5, 1.0, 2.5, 3.0, 6.5, 7.0, 9.0])
    log = LoadingLog(clock=lambda: next(now))

    with caplog.at_level(logging.INFO):
        for done in (1, 2, 5, 6, 8):
            log("checksums", done, 10)
        log("warming", 0, 1)
        log("warming", 0, 1)

    lines = [
        (r.stage, r.done, r.total, r.remaining_s)  # type: ignore[attr-defined]
        for r in caplog.records
    ]
    assert lines == [
        ("checksums", 5, 10, 2.0),
        ("checksums", 8, 10, 1.5),
        ("warming", 0, 1, None),
    ]


def test_a_load_that_is_soon_done_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = LoadingLog(clock=iter([0.0, 0.1, 1.9]).__next__)

    with caplog.at_level(logging.INFO):
        log("checksums", 1, 2)
        log("checksums", 2, 2)

    assert caplog.records == []
