"""What crashes leave in the folder of bundles, and what was meant to go live."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextvec.app.bundle.bundle import Bundle, load_bundle
from nextvec.app.commands import pipeline
from nextvec.app.release import building
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import INTENT, POINTER, Pointer, Registry
from nextvec.training.errors import BundleError, ProjectError
from nextvec.training.folders import only_writer
from tests.app.conftest import World
from tests.app.sealing import copied


@pytest.fixture
def left(bundles: Path, world: World) -> Path:
    """A whole bundle under the name of one that is being written: a crash left it."""
    (bundles / ".other-01234567.lock").touch()
    whole = bundles / ".other-01234567.new.tmp"
    return Path(shutil.copytree(bundles / world.version, whole))


def test_what_a_crash_left_is_no_bundle(
    bundles: Path, world: World, left: Path
) -> None:
    registry = Registry(bundles)

    assert registry.versions() == [world.version]
    with pytest.raises(BundleError, match="no bundle"):
        registry.promote(left.name)


@pytest.mark.parametrize("command", ["build", "promote", "rollback", "remove"])
def test_the_next_command_that_writes_clears_it_away(
    bundles: Path, world: World, left: Path, command: str
) -> None:
    registry = Registry(bundles)
    second = copied(bundles / world.version, "second").name
    (bundles / POINTER).write_text(
        f'{{"version": "{world.version}", "previous": "{second}"}}'
    )
    third = copied(bundles / world.version, "third").name
    half = bundles / f".{POINTER}.0123abcd.tmp"
    half.write_text('{"version":')

    match command:
        case "build":
            build_bundle(world.run, bundles)
        case "promote":
            registry.promote(world.version)
        case "rollback":
            registry.rollback()
        case _:
            registry.remove(third)

    assert not left.exists()
    # building moves no pointer
    assert half.exists() == (command == "build")
    assert registry.pointer() is not None


def test_what_another_process_builds_is_not_cleared_away(
    bundles: Path, world: World, left: Path
) -> None:
    with only_writer(bundles / "other-01234567"):
        Registry(bundles).promote(world.version)

        assert left.exists()


@pytest.fixture
def other_live(bundles: Path, world: World) -> str:
    """Another bundle of the same corpus is live, and that of the run not there."""
    second = copied(bundles / world.version, "second").name
    registry = Registry(bundles)
    registry.promote(second)
    (bundles / POINTER).write_text(f'{{"version": "{second}"}}')
    registry.remove(world.version)
    return second


class Killed(BaseException):
    """Nobody catches it."""


@pytest.fixture
def _killed_before_promotion(other_live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first promotion of `up` be cut off."""
    del other_live  # promoted before
    real, calls = Registry.make_live, []

    def make_live(
        registry: Registry, bundle: Bundle, *, require_go: bool = False
    ) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Killed
        real(registry, bundle, require_go=require_go)

    monkeypatch.setattr(Registry, "make_live", make_live)


def up(world: World, bundles: Path) -> str:
    corpus = world.run.parents[1] / "corpus"
    return pipeline._bundle(world.run, corpus, Registry(bundles))  # noqa: SLF001


@pytest.mark.usefixtures("_killed_before_promotion")
def test_up_goes_on_where_it_was_cut_off_before_the_promotion(
    world: World, bundles: Path
) -> None:
    with pytest.raises(Killed):
        up(world, bundles)
    assert Registry(bundles).intended() == world.version

    live = up(world, bundles)

    assert live == world.version
    assert Registry(bundles).live().name == world.version
    assert not (bundles / INTENT).exists()


@pytest.mark.usefixtures("_killed_before_promotion")
def test_what_somebody_made_live_since_stays(
    world: World, bundles: Path, other_live: str
) -> None:
    with pytest.raises(Killed):
        up(world, bundles)
    # the one that was live already: that is a choice, too
    Registry(bundles).promote(other_live)

    live = up(world, bundles)

    assert live == other_live
    assert Registry(bundles).live().name == other_live


@pytest.mark.usefixtures("_killed_before_promotion")
def test_an_intent_that_cannot_be_read_is_none(
    world: World, bundles: Path, other_live: str
) -> None:
    with pytest.raises(Killed):
        up(world, bundles)
    (bundles / INTENT).write_text("half")

    assert up(world, bundles) == other_live


def test_an_intent_is_void_once_the_pointer_has_moved(bundles: Path) -> None:
    registry = Registry(bundles)
    registry.intend("another")
    assert registry.intended() == "another"

    (bundles / POINTER).write_text('{"version": "moved by hand"}')

    assert registry.intended() is None


def test_an_intent_is_recorded_before_anything_is_built(
    world: World, bundles: Path, other_live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def full(*_: object) -> None:
        seen.append(Registry(bundles).intended())
        msg = "the disk is full"
        raise ProjectError(msg)

    monkeypatch.setattr(building, "require_space", full)
    with pytest.raises(ProjectError, match="the disk is full"):
        up(world, bundles)

    assert seen == [world.version]
    assert Registry(bundles).live().name == other_live


def test_a_bundle_that_no_disk_holds_is_refused_before_it_is_made(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)

    with pytest.raises(
        ProjectError, match=r"the bundle tiny-run-\w+ wants 0\.\d MB, 0\.1 MB are free"
    ):
        build_bundle(world.run, tmp_path / "bundles")

    assert not (tmp_path / "bundles").exists()


def test_a_run_that_changes_while_it_is_bundled_makes_no_bundle(
    world: World, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(world.run, tmp_path / "run"))

    def say(what: str) -> None:
        if what.startswith("indexing"):
            card = run / "card.json"
            card.write_bytes(card.read_bytes() + b"\n")

    with pytest.raises(BundleError, match="changed while the bundle was made"):
        build_bundle(run, tmp_path / "bundles", say=say)

    assert Registry(tmp_path / "bundles").versions() == []


def test_what_goes_live_before_the_lock_is_had_is_not_removed(
    bundles: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = copied(bundles / world.version, "second").name

    @contextmanager
    def late(path: Path, *, wait_s: float) -> Iterator[None]:
        (bundles / POINTER).write_text(f'{{"version": "{second}"}}')
        with only_writer(path, wait_s=wait_s):
            yield

    monkeypatch.setattr("nextvec.app.release.registry.only_writer", late)

    with pytest.raises(BundleError, match="is live"):
        Registry(bundles).remove(second)
    assert (bundles / second).is_dir()


def test_what_was_removed_while_it_was_loaded_does_not_go_live(
    bundles: Path, world: World
) -> None:
    registry = Registry(bundles)
    second = load_bundle(copied(bundles / world.version, "second"))
    registry.remove(second.manifest.version)

    with pytest.raises(BundleError, match="no bundle 'second"):
        registry.make_live(second)
    assert registry.live().name == world.version


def test_a_rollback_never_goes_back_to_what_was_removed(
    bundles: Path, world: World
) -> None:
    registry = Registry(bundles)
    second = copied(bundles / world.version, "second")

    registry.make_live(load_bundle(second), previous="removed-01234567")

    expected = Pointer(version=second.name, previous=world.version)
    assert registry.pointer() == expected


def test_a_promotion_mends_a_pointer_that_cannot_be_read(
    bundles: Path, world: World
) -> None:
    registry = Registry(bundles)
    (bundles / POINTER).write_text("{")

    registry.promote(world.version)

    assert registry.pointer() == Pointer(version=world.version)


def test_where_no_bundles_are_nothing_is_made_to_remove_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there are: none"):
        Registry(tmp_path / "mistyped").remove("any")
    assert list(tmp_path.iterdir()) == []
