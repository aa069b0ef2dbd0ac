"""The manifest of a bundle was changed, or lies where it does not belong."""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.bundle.catalogue import TEXT_FILES
from nextvec.app.bundle.manifest import MANIFEST, MAX_BYTES, Manifest
from nextvec.app.bundle.sealed_json import is_sealed, sealed
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.building import build_bundle
from nextvec.training.errors import BundleError, IndexMismatchError
from nextvec.training.run_folder import BASELINES, GROUPS, WEIGHTS
from tests.app.conftest import World
from tests.app.sealing import change, copied, fields_of, renamed, reseal


def test_every_changed_byte_of_a_manifest_is_refused(
    world: World, bundles: Path
) -> None:
    folder = bundles / world.version
    data = (folder / MANIFEST).read_bytes()
    said = set()

    for place, byte in enumerate(data):
        # one bit, another character of JSON, and one that may stand anywhere in it
        for other in {byte ^ 1, ord("0") if byte != ord("0") else ord("1"), ord(" ")}:
            if other == byte:
                continue
            changed = data[:place] + bytes([other]) + data[place + 1 :]
            (folder / MANIFEST).write_bytes(changed)
            with pytest.raises(BundleError) as caught:
                Manifest.load(folder)
            said.add(str(caught.value))

    (sentence,) = said
    assert sentence.startswith(f"{folder / MANIFEST}: the manifest was changed after")
    assert "make it anew with: nextvec bundle build RUN" in sentence


@given(place=st.integers(0, 10**6), added=st.binary(min_size=1, max_size=3))
def test_what_is_put_in_or_cut_off_breaks_the_seal(place: int, added: bytes) -> None:
    data = sealed({"a": [1, 2.5, None], "b": {"c": "ü"}})
    place %= len(data) + 1

    assert is_sealed(data)
    assert not is_sealed(data[:place] + added + data[place:])
    assert not is_sealed(data[:place][:-1])


def test_a_sealed_file_is_read_by_anyone(world: World) -> None:
    data = (world.bundles / world.version / MANIFEST).read_bytes()

    told = orjson.loads(data)

    assert told["version"] == world.version
    assert list(told)[-1] == "seal"
    # a person can read it, too
    assert data.count(b"\n") > 100


def test_two_bundles_that_changed_places_are_refused(
    world: World, bundles: Path
) -> None:
    plain = build_bundle(world.run, bundles, plain_cosine=True).manifest.version
    one, other, aside = bundles / world.version, bundles / plain, bundles / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)

    for folder, found in ((one, plain), (other, world.version)):
        with pytest.raises(BundleError, match=f"holds the bundle {found}: .*rename"):
            open_engine(folder)


def test_a_bundle_behind_a_link_is_itself(world: World, bundles: Path) -> None:
    (bundles / "current").symlink_to(bundles / world.version)

    assert load_bundle(bundles / "current").manifest.version == world.version


def test_a_version_that_is_not_that_of_its_contents_is_refused(
    world: World, bundles: Path
) -> None:
    folder = bundles / world.version
    files = fields_of(folder)["files"] | {WEIGHTS: "0" * 64}
    change(folder, files=files)

    with pytest.raises(BundleError, match=f"but it says '{world.version}'"):
        Manifest.load(folder)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../LIVE",
        "..",
        ".hidden",
        "",
        "a/b",
        "a\\b",
        "x" * 65,
        "a\n",
    ],
)
def test_a_file_that_is_no_plain_name_is_refused(
    world: World, bundles: Path, name: str
) -> None:
    folder = bundles / world.version
    told = fields_of(folder)
    change(
        folder,
        files=told["files"] | {name: "0" * 64},
        sizes=told["sizes"] | {name: 1},
    )

    with pytest.raises(BundleError, match="files: expected plain names of files"):
        load_bundle(folder)


def test_a_file_that_no_bundle_has_is_refused(world: World, bundles: Path) -> None:
    folder = bundles / world.version
    told = fields_of(folder)
    change(
        folder,
        files=told["files"] | {"more.npy": "0" * 64},
        sizes=told["sizes"] | {"more.npy": 1},
    )

    with pytest.raises(BundleError, match=r"lists what none has: more\.npy"):
        load_bundle(folder)


def test_a_file_that_is_not_listed_is_not_read(world: World, bundles: Path) -> None:
    folder = bundles / world.version
    told = fields_of(folder)
    for name in TEXT_FILES:
        del told["files"][name], told["sizes"][name]
    change(folder, files=told["files"], sizes=told["sizes"])

    with pytest.raises(BundleError, match=r"does not list: texts\."):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"dim": 0}, "dim and num_vectors of at least 1", id="dim"),
        pytest.param({"num_vectors": -1}, "of at least 1, got 8 and -1", id="count"),
        pytest.param({"files": {"a": "0"}}, "a: expected 64 hexadecimal", id="digits"),
        pytest.param({"sizes": {}}, "sizes: expected the size of every", id="sizes"),
    ],
)
def test_what_cannot_be_is_refused(
    world: World, bundles: Path, fields: dict[str, object], words: str
) -> None:
    folder = bundles / world.version
    change(folder, **fields)

    with pytest.raises(BundleError, match=words):
        Manifest.load(folder)


@pytest.mark.parametrize("number", [b"7e999", b"NaN", b"Infinity", b"nothing"])
def test_numbers_that_are_not_finite_are_refused(
    world: World, bundles: Path, number: bytes
) -> None:
    folder = bundles / world.version
    golden = fields_of(folder)["golden"] | {"prediction": [1.5e300] * 8}
    change(folder, golden=golden)
    data = (folder / MANIFEST).read_bytes()
    head = data[: data.index(b'\n  "seal"')].replace(b"1.5e+300", number)
    # as `sealed` does it, which writes no such number
    seal = hashlib.sha256(head).hexdigest().encode()
    (folder / MANIFEST).write_bytes(head + b'\n  "seal": "' + seal + b'"\n}\n')

    assert is_sealed((folder / MANIFEST).read_bytes())
    with pytest.raises(BundleError, match=r"bundle\.json: "):
        Manifest.load(folder)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"num_vectors": 3901}, "3901 vectors in its manifest", id="count"),
        pytest.param({"dim": 9}, "dim", id="dim"),
    ],
)
def test_numbers_that_are_not_those_of_the_files_are_refused(
    world: World, bundles: Path, fields: dict[str, Any], words: str
) -> None:
    folder = bundles / world.version
    golden = fields_of(folder)["golden"]
    if "dim" in fields:
        golden["prediction"].append(0.0)
        words = "predicts 8 numbers, index takes 9"
    change(folder, golden=golden, **fields)

    with pytest.raises(IndexMismatchError, match=words):
        load_bundle(folder)


@pytest.mark.parametrize("name", [GROUPS, BASELINES])
def test_arrays_of_another_type_are_refused(
    world: World, bundles: Path, name: str
) -> None:
    path = bundles / world.version / name
    if name == GROUPS:
        np.save(path, np.load(path).astype(np.float64))
    else:
        arrays = {n: a.astype(np.float64) for n, a in load_file(path).items()}
        save_file(arrays, path)

    with pytest.raises((BundleError, IndexMismatchError), match="got float64"):
        reseal(path.parent, world.corpus)


def test_a_file_of_another_size_is_refused_before_it_is_read(
    world: World, bundles: Path
) -> None:
    folder = bundles / world.version
    os.truncate(folder / WEIGHTS, 1 << 40)  # a hole: it takes no room

    began = time.monotonic()
    with pytest.raises(BundleError, match=r"expected [\d,]+ bytes, got 1,099,511,627"):
        load_bundle(folder)

    # its checksum would take an hour
    assert time.monotonic() - began < 60


def test_a_huge_golden_query_is_refused_before_it_is_parsed(
    world: World, bundles: Path
) -> None:
    folder = bundles / world.version
    golden = fields_of(folder)["golden"]
    change(folder, golden=golden | {"context_rows": [0] * MAX_BYTES})

    with pytest.raises(BundleError, match="expected at most 1,024 KiB, got more"):
        load_bundle(folder)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST)

    with pytest.raises(BundleError, match="no bundle here"):
        Manifest.load(tmp_path)


def test_the_version_follows_from_what_a_bundle_is_made_of(
    world: World, bundles: Path
) -> None:
    folder = bundles / world.version
    versions = {world.version}
    changes: list[dict[str, Any]] = [
        {"betas": {}},
        {"index_kind": "other"},
        {"corpus_fingerprint": "0" * 64},
        {"engine_asked": "eager"},
        {"texts_checksum": None},
    ]
    for number, fields in enumerate(changes):
        copy = Path(shutil.copytree(folder, bundles / f"copy{number}"))
        versions.add(renamed(copy, **fields).name)

    assert len(versions) == 6
    assert len({version.rpartition("-")[0] for version in versions}) == 1


def test_another_name_is_another_version_of_the_same(
    world: World, bundles: Path
) -> None:
    second = copied(bundles / world.version, "Second, of mine!")

    open_engine(second)

    assert second.name.startswith("second-of-mine-")
    assert second.name[-8:] == world.version[-8:]
