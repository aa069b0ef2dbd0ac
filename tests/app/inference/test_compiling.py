import ctypes
import logging
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from nextvec.app.inference import compiling
from nextvec.app.inference.compiling import (
    LEVELS,
    build_levels,
    compiled_here,
    compiler,
    prebuilt,
    processor_flags,
)
from nextvec.app.inference.kernel import Kernel, load_kernel
from nextvec.app.inference.recurrence import FusedGRU

levels = compiling._levels()  # noqa: SLF001 - of this architecture


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an image holds: the kernel for every level."""
    folder = tmp_path_factory.mktemp("image") / "kernels"
    made = list(build_levels(folder))
    assert sorted(made) == sorted(folder.iterdir())
    return folder


def test_there_is_one_for_every_level(kernels: Path) -> None:
    names = [path.name.split("-")[1] for path in kernels.iterdir()]

    assert sorted(names) == sorted(level.name for level in levels)


@pytest.mark.parametrize("level", levels, ids=lambda level: level.name)
def test_a_processor_gets_the_best_that_it_can_run(
    kernels: Path, level: compiling.Level
) -> None:
    found = prebuilt(kernels, level.flags | {"another"})

    assert found is not None
    assert found.name.startswith(f"kernel-{level.name}-")


def test_what_an_image_holds_for_this_processor_has_tiles_if_it_has() -> None:
    (best, *_) = LEVELS["x86_64"]

    assert {"amx_tile", "amx_int8", "avx512_vnni"} <= best.flags
    assert {"-mamx-tile", "-mamx-int8", "-mavx512vnni"} <= set(best.options)


def test_a_processor_with_less_gets_none(kernels: Path) -> None:
    assert prebuilt(kernels, frozenset(("sse2",))) is None


def test_every_level_has_what_the_next_one_has() -> None:
    for levels_of_one in LEVELS.values():
        for better, worse in pairwise(levels_of_one):
            assert better.flags > worse.flags


@pytest.mark.parametrize("level", levels, ids=lambda level: level.name)
@torch.inference_mode()
def test_each_computes_what_torch_does(kernels: Path, level: compiling.Level) -> None:
    if not level.flags <= processor_flags():
        # it cannot be run here, but it is there
        assert prebuilt(kernels, level.flags) is not None
        return
    torch.manual_seed(0)
    gru = torch.nn.GRU(30, 20, batch_first=True).eval()
    # a whole tile of sequences, and some
    read_BTI = torch.randn(19, 9, 30)
    library = ctypes.CDLL(str(prebuilt(kernels, level.flags)))

    found_BTH, _ = FusedGRU(gru, kernel=Kernel(library), is_int8=False)(read_BTI)
    coded_BTH, _ = FusedGRU(gru, kernel=Kernel(library), is_int8=True)(read_BTI)

    torch.testing.assert_close(found_BTH, gru(read_BTI)[0], atol=2e-6, rtol=0)
    torch.testing.assert_close(coded_BTH, gru(read_BTI)[0], atol=5e-2, rtol=0)


def load_anew(folder: Path) -> Kernel | None:
    return load_kernel.__wrapped__(folder)


def test_it_is_loaded_where_there_is_no_compiler(
    kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert load_anew(kernels) is not None

    assert list(tmp_path.iterdir()) == []
    assert load_anew(tmp_path) is None


def test_one_that_cannot_be_loaded_is_compiled_here(
    kernels: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for path in kernels.iterdir():
        (tmp_path / path.name).write_bytes(b"no library")

    with caplog.at_level(logging.WARNING):
        assert load_anew(tmp_path) is not None

    assert "made beforehand cannot be loaded" in caplog.text
    assert len(list((tmp_path / "cache" / "nextvec").iterdir())) == 1


def test_one_of_another_source_is_not_taken(
    kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "kernel.c"
    source.write_text(compiling.SOURCE.read_text() + "\n")
    monkeypatch.setattr(compiling, "SOURCE", source)

    assert prebuilt(kernels) is None


def test_without_a_compiler_none_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(FileNotFoundError, match="no C compiler: expected one of cc"):
        list(build_levels(tmp_path))


def test_another_architecture_has_no_levels_and_compiles_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    found = compiler()
    assert found is not None

    assert list(build_levels(tmp_path)) == []
    assert prebuilt(tmp_path) is None
    assert compiled_here(found, tmp_path).exists()


@pytest.mark.parametrize(
    "line", ["flags\t\t: avx2 fma", "Features\t: avx2 fma"], ids=["x86", "ARM"]
)
def test_flags_are_those_of_the_first_processor(tmp_path: Path, line: str) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\n{line}\nprocessor\t: 1\n{line} other\n")

    assert processor_flags(told) == {"avx2", "fma"}
    assert isinstance(processor_flags(tmp_path / "gone"), frozenset)


def test_the_command_names_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [tmp_path / "one.so", tmp_path / "two.so"]
    monkeypatch.setattr(compiling, "build_levels", lambda: iter(made))
    monkeypatch.setattr("sys.argv", ["compiling"])

    compiling.main()

    assert capsys.readouterr().out.splitlines() == list(map(str, made))


def test_it_needs_neither_torch_nor_numpy() -> None:
    program = (
        "import sys, nextvec.app.inference.compiling; "
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )

    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - ours
