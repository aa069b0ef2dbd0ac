from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from nextvec.app.bundle.bundle import REQUIRED, load_bundle
from nextvec.app.bundle.manifest import MANIFEST, Manifest
from nextvec.app.bundle.names import Names, Strings
from nextvec.app.bundle.sealed_json import sealed
from nextvec.app.bundle.vectors import VECTORS
from nextvec.app.commands.main import cli
from nextvec.app.inference.engine import Engine, Query, answer
from nextvec.app.inference.golden import check_golden
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import POINTER, Registry
from nextvec.training.checkpoint import load_checkpoint, save_weights
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import save_corpus
from nextvec.training.errors import BundleError, IndexMismatchError, ProjectError
from nextvec.training.files import read_json, write_json
from nextvec.training.run_folder import BASELINES, CARD, GROUPS, VALIDATION, WEIGHTS
from tests.app.sealing import change, copied, fields_of, renamed, reseal

if TYPE_CHECKING:
    from io import BufferedReader

    from tests.app.conftest import World

NewRun = Callable[[Corpus, Path, Path | None], None]


def spoil_weight(folder: Path, corpus: Corpus, *, by: float = 0.5) -> Path:
    """Change the weights, and seal the bundle again as if that were right."""
    checkpoint = load_checkpoint(folder)
    state = checkpoint.model.state_dict()
    for name in state:
        if name.startswith("head."):
            state[name] = state[name] + by
    save_weights(folder / WEIGHTS, state, checkpoint.transform)
    return folder.with_name(reseal(folder, corpus).manifest.version)


def test_a_bundle_holds_what_it_was_made_of(world: World) -> None:
    bundle = load_bundle(world.bundles / world.version)

    expected = bundle.checkpoint.transform.apply(world.corpus.vectors)
    np.testing.assert_array_equal(bundle.index.vectors, expected)
    assert list(bundle.catalogue.ids) == world.corpus.ids
    assert bundle.catalogue.texts is not None
    assert list(bundle.catalogue.texts) == world.corpus.texts
    assert bundle.manifest.corpus_fingerprint == world.corpus.fingerprint
    assert set(bundle.manifest.files) >= REQUIRED
    assert world.version.startswith("tiny-run-")


def test_the_same_run_makes_the_same_bundle_again(world: World) -> None:
    before = (world.bundles / world.version / MANIFEST).read_bytes()

    built = build_bundle(world.run, world.bundles)

    assert built.manifest.version == world.version
    assert (world.bundles / world.version / MANIFEST).read_bytes() == before


def test_a_bundle_is_built_and_made_live_in_one_pass(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_digest = hashlib.file_digest
    hashed: list[str] = []
    loaded: list[Path] = []

    def digest(file: BufferedReader, name: str) -> object:
        if "bundles" in file.name:
            hashed.append(Path(file.name).name)
        return real_digest(file, name)

    def load(folder: Path) -> object:
        loaded.append(folder)
        return load_checkpoint(folder)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    monkeypatch.setattr("nextvec.app.bundle.bundle.load_checkpoint", load)

    where = ["--bundles", str(tmp_path / "bundles")]
    result = CliRunner().invoke(
        cli, ["bundle", "build", str(world.run), "--promote", *where]
    )

    assert result.exit_code == 0, result.output
    manifest = Manifest.load(tmp_path / "bundles" / world.version)
    assert sorted(hashed) == sorted(manifest.files)
    assert len(loaded) == 1
    assert Registry(tmp_path / "bundles").live().name == world.version


def test_a_bundle_that_was_never_asked_does_not_go_live(
    world: World, bundles: Path
) -> None:
    change(bundles / world.version, golden=None)

    with pytest.raises(BundleError, match="holds no golden query"):
        Registry(bundles).promote(world.version)


def test_a_bundle_can_rank_by_plain_cosine(world: World, tmp_path: Path) -> None:
    plain = build_bundle(world.run, tmp_path / "bundles", plain_cosine=True)
    corrected = load_bundle(world.bundles / world.version)

    assert corrected.beta > 0
    assert corrected.manifest.betas == corrected.card["score"]["betas"]
    assert (plain.beta, plain.manifest.betas) == (0.0, {})
    assert plain.manifest.version != world.version
    rows = plain.suite.windows.context_rows[0]
    found = answer([Query(engine=Engine(plain), rows=rows, k=9)])[0]
    assert found.cosines is not None
    np.testing.assert_allclose(found.found.scores, found.cosines, atol=1e-6)


def test_another_corpus_is_refused_and_nothing_is_left(
    world: World, make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    save_corpus(make_corpus([130] * 5, dim=8, seed=9), tmp_path / "other")

    with pytest.raises(IndexMismatchError, match="was trained on corpus"):
        build_bundle(world.run, tmp_path / "b", corpus=tmp_path / "other")

    assert not list(tmp_path.glob("b/*"))


def test_a_corpus_of_another_dimension_is_refused(
    world: World, make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    save_corpus(make_corpus([130] * 5, dim=5), tmp_path / "other")

    with pytest.raises(IndexMismatchError, match="predicts 8 numbers, index takes 5"):
        build_bundle(world.run, tmp_path / "b", corpus=tmp_path / "other")


def test_a_run_that_names_no_corpus_needs_one(
    world: World, new_run: NewRun, tmp_path: Path
) -> None:
    new_run(world.corpus, tmp_path / "run", None)

    with pytest.raises(BundleError, match="name one with --corpus"):
        build_bundle(tmp_path / "run", tmp_path / "bundles")


def test_an_unfinished_run_is_named(world: World, tmp_path: Path) -> None:
    run = shutil.copytree(world.run, tmp_path / "run")
    (run / GROUPS).unlink()

    with pytest.raises(BundleError, match=r"groups\.npy: missing"):
        build_bundle(run, tmp_path / "bundles")


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_every_damaged_file_is_named(world: World, bundles: Path, name: str) -> None:
    path = bundles / world.version / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(BundleError, match=f"{name}: damaged"):
        load_bundle(bundles / world.version)


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_every_missing_file_is_named(world: World, bundles: Path, name: str) -> None:
    (bundles / world.version / name).unlink()

    with pytest.raises(BundleError, match=f"{name}: missing"):
        load_bundle(bundles / world.version)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"{", "manifest was changed", id="json"),
        pytest.param(b"[]", "manifest was changed", id="list"),
        pytest.param(b'{"format": 5}', "manifest was changed", id="no seal"),
        pytest.param(
            b'{"format": 4}', "made by an older nextvec .* build it again", id="older"
        ),
        pytest.param(
            sealed({"format": 4}), "made by an older nextvec", id="older, sealed"
        ),
        pytest.param(sealed({"format": 6}), "5, got 6: was it made by a", id="newer"),
        pytest.param(sealed({"format": 5}), "files: Field required", id="fields"),
        pytest.param(b" " * 2_000_000, "expected at most 1,024 KiB", id="huge"),
    ],
)
def test_a_damaged_manifest_is_refused(
    world: World, bundles: Path, content: bytes, words: str
) -> None:
    (bundles / world.version / MANIFEST).write_bytes(content)

    with pytest.raises(BundleError, match=words):
        load_bundle(bundles / world.version)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"files": ["a"]}, "files: Input should be", id="list"),
        pytest.param({"files": {"a": 1}}, "files: a: Input should be", id="checksum"),
        pytest.param({"dim": "8"}, "dim: .* integer, got '8'", id="number"),
        pytest.param({"golden": {"rows": []}}, "golden: scores: Field", id="golden"),
        pytest.param({"owner": "me"}, "owner: Unexpected", id="unknown"),
    ],
)
def test_a_manifest_s_field_of_another_type_is_named(
    world: World, bundles: Path, fields: dict[str, object], words: str
) -> None:
    folder = bundles / world.version
    change(folder, **fields)

    with pytest.raises(BundleError, match=words) as caught:
        Manifest.load(folder)

    assert str(caught.value).startswith(f"{folder / MANIFEST}: ")


@pytest.mark.parametrize("name", [VECTORS, MANIFEST])
def test_a_damaged_bundle_is_made_anew(world: World, bundles: Path, name: str) -> None:
    folder = bundles / world.version
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    said: list[str] = []

    version = build_bundle(world.run, bundles, say=said.append).manifest.version

    assert version == world.version
    assert f"bundle {version} is damaged and is made anew: " in said[0]
    assert said[-1] == f"bundle {version} is whole"
    check_golden(Engine(load_bundle(folder)))
    assert Registry(bundles).live() == folder


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle here"):
        load_bundle(tmp_path)


def test_a_manifest_that_lists_too_little_is_refused(
    world: World, bundles: Path
) -> None:
    folder = bundles / world.version
    files, sizes = fields_of(folder)["files"], fields_of(folder)["sizes"]
    del files["ids.npy"], sizes["ids.npy"]
    change(folder, files=files, sizes=sizes)

    with pytest.raises(BundleError, match=r"lists no ids\.npy"):
        load_bundle(folder)


def test_a_model_of_another_corpus_is_refused(world: World, bundles: Path) -> None:
    folder = renamed(bundles / world.version, corpus_fingerprint="0" * 64)

    with pytest.raises(IndexMismatchError, match="index holds 000000000000"):
        load_bundle(folder)


def test_a_card_without_fingerprint_is_refused(world: World, bundles: Path) -> None:
    folder = bundles / world.version
    write_json(folder / CARD, read_json(folder / CARD) | {"corpus": {}})

    with pytest.raises(IndexMismatchError, match="names no corpus fingerprint"):
        reseal(folder, world.corpus)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("ids", "ids, but", id="ids"),
        pytest.param(GROUPS, "duplicate groups", id="groups"),
        pytest.param("positions.npy", "positions", id="positions"),
        pytest.param("texts", "texts", id="texts"),
    ],
)
def test_parts_of_different_sizes_are_refused(
    world: World, bundles: Path, name: str, words: str
) -> None:
    path = bundles / world.version / name
    if name == "ids":
        Names.of(Names.load(path.parent, name)[:-1]).save(path.parent, name)
    elif name == "texts":
        Strings.of(Strings.load(path.parent, name)[:-1]).save(path.parent, name)
    else:
        np.save(path, np.load(path)[:-1])

    with pytest.raises(ProjectError, match=words):
        reseal(path.parent, world.corpus)


@pytest.mark.parametrize("name", [GROUPS, VALIDATION, BASELINES, "documents.npy"])
def test_sealed_rubbish_is_refused_too(world: World, bundles: Path, name: str) -> None:
    (bundles / world.version / name).write_bytes(b"rubbish")

    with pytest.raises(ProjectError, match="damaged"):
        reseal(bundles / world.version, world.corpus)


def test_baselines_of_other_windows_are_refused(world: World, bundles: Path) -> None:
    folder = bundles / world.version
    save_file({"index": np.ones(2, np.int64)}, folder / BASELINES)

    with pytest.raises(IndexMismatchError, match="baseline of index"):
        reseal(folder, world.corpus)


def test_a_changed_weight_fails_the_golden_query(world: World, bundles: Path) -> None:
    folder = bundles / world.version
    golden = fields_of(folder)["golden"]
    folder = spoil_weight(folder, world.corpus)
    change(folder, golden=golden)

    with pytest.raises(BundleError, match="golden query's prediction moved"):
        check_golden(Engine(load_bundle(folder)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"context_rows": [10**6]}, "rows below 3900", id="row"),
        pytest.param({"context_rows": []}, "1 to 100 context_rows", id="no row"),
        pytest.param({"context_rows": [0] * 101}, "1 to 100 context_rows", id="long"),
        pytest.param({"prediction": []}, "prediction of 8 numbers", id="prediction"),
        pytest.param({"rows": [-1] * 10}, "rows from 0 to 3899", id="neighbor"),
        pytest.param({"rows": []}, "as many rows as scores, 1 to 10", id="neighbors"),
        pytest.param({"scores": [0.9, 0.8, 0.7]}, "found rows", id="scores"),
    ],
)
def test_a_spoiled_golden_query_is_refused(
    world: World, bundles: Path, fields: dict[str, object], words: str
) -> None:
    folder = bundles / world.version
    golden = fields_of(folder)["golden"] | fields
    if "scores" in fields:
        golden["rows"] = golden["rows"][:3]
    change(folder, golden=golden)

    with pytest.raises(BundleError, match=words):
        check_golden(Engine(load_bundle(folder)))


def test_promotion_and_rollback_move_the_pointer(world: World, bundles: Path) -> None:
    registry = Registry(bundles)
    second = copied(bundles / world.version, "second")

    registry.promote(second.name)
    registry.promote(second.name)

    assert registry.live() == second
    assert registry.rollback() == world.version
    assert registry.live() == bundles / world.version
    assert registry.rollback() == second.name
    assert registry.versions() == sorted([second.name, world.version])


def test_a_damaged_bundle_is_not_promoted(world: World, bundles: Path) -> None:
    second = copied(bundles / world.version, "second")
    (second / WEIGHTS).write_bytes(b"")

    with pytest.raises(BundleError, match="damaged"):
        Registry(bundles).promote(second.name)

    assert Registry(bundles).live() == bundles / world.version


def test_no_go_can_be_made_to_forbid_promotion(world: World, bundles: Path) -> None:
    with pytest.raises(BundleError, match="readiness is NO-GO, GO is required"):
        Registry(bundles).promote(world.version, require_go=True)


def test_there_may_be_nothing_to_roll_back_to(bundles: Path) -> None:
    with pytest.raises(BundleError, match="no bundle was live before"):
        Registry(bundles).rollback()


def test_an_unknown_version_is_refused_with_those_there_are(
    world: World, bundles: Path
) -> None:
    with pytest.raises(BundleError, match=f"there are: {world.version}"):
        Registry(bundles).promote("other")


def test_nothing_is_live_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle has been promoted"):
        Registry(tmp_path).live()


@pytest.mark.parametrize(
    "content", ["somewhere", "[1]", '{"version": 5}', '{"version": "a", "next": "b"}']
)
def test_a_damaged_pointer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / POINTER).write_text(content)

    with pytest.raises(BundleError, match="expected JSON with version") as caught:
        Registry(tmp_path).pointer()

    assert "Pointer" not in str(caught.value)
