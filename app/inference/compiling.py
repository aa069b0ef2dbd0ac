"""Making the kernel out of its source: for this processor, or beforehand for several.

``python -m nextvec.app.inference.compiling`` compiles it for all levels that processors
of this architecture can have, into the folder that is looked into first; an image whose
last stage has no compiler does that in the one before.
"""

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("kernel.c")

PREBUILT: Final = Path(__file__).with_name("kernels")
"""Folder of what was compiled beforehand; most often there is none."""

_COMPILERS: Final = ("cc", "gcc", "clang")
_TIMEOUT_S: Final = 60.0
_OPTIONS: Final = (
    "-O3",
    "-std=c11",
    "-shared",
    "-fPIC",
    # nothing here looks at errno or at a trap, and floorf wants to be a vector
    "-fno-math-errno",
    "-fno-trapping-math",
    # a product and a sum in one, which standard C leaves to the one who asks
    "-ffp-contract=fast",
)


@dataclass(frozen=True, slots=True)
class Level:
    """Instructions that many processors have."""

    name: str

    options: tuple[str, ...]
    """That tell a compiler of them."""

    flags: frozenset[str]
    """What ``/proc/cpuinfo`` says of a processor that has them."""


_WIDE: Final = "-mprefer-vector-width=512"
_V3: Final = frozenset(("avx2", "fma", "bmi1", "bmi2", "f16c", "abm", "movbe"))
_V4: Final = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_VNNI: Final = _V4 | {"avx512_vnni"}
_VNNI_OPTIONS: Final = ("-march=x86-64-v4", "-mavx512vnni", _WIDE)

LEVELS: Final[Mapping[str, tuple[Level, ...]]] = {
    # x86-64-v3 and v4 of the psABI; what has less runs networks as they were trained
    "x86_64": (
        # 16 or 32 sequences in half the time; where the kernel of the machine lets
        # nobody have tiles, that runs what VNNI does
        Level(
            "amx",
            (*_VNNI_OPTIONS, "-mamx-tile", "-mamx-int8"),
            _VNNI | {"amx_tile", "amx_int8"},
        ),
        Level("vnni", _VNNI_OPTIONS, _VNNI),
        Level("v4", ("-march=x86-64-v4", _WIDE), _V4),
        Level("v3", ("-march=x86-64-v3",), _V3),
    ),
    "aarch64": (
        Level(
            "dotprod", ("-march=armv8.2-a+dotprod",), frozenset(("asimd", "asimddp"))
        ),
        Level("v8", ("-march=armv8-a",), frozenset(("asimd",))),
    ),
}
"""By architecture, the best first."""


def compiler() -> str | None:
    """Return the C compiler of this machine, None if it has none."""
    return next(filter(None, map(shutil.which, _COMPILERS)), None)


def compiled_here(compiler: str, folder: Path) -> Path:
    """Return the library for this very processor, made now if it is not there.

    Raises:
        OSError: it cannot be written.
        subprocess.SubprocessError: it cannot be compiled.
    """
    options = ["-march=native", *([_WIDE] if _architecture() == "x86_64" else [])]
    told = [compiler, *options, platform.machine(), " ".join(sorted(processor_flags()))]
    path = folder / f"kernel-{_digest(told)}.so"
    if not path.exists():
        _compile(compiler, options, path)
    return path


def prebuilt(
    folder: Path = PREBUILT, flags: frozenset[str] | None = None
) -> Path | None:
    """Return the best library made beforehand that this processor can run.

    Args:
        folder: that `build_levels` filled.
        flags: of the processor; None asks this machine.

    Returns:
        None where there is none, or only of another version of the source.
    """
    flags = processor_flags() if flags is None else flags
    fitting = (level for level in _levels() if level.flags <= flags)
    paths = (folder / _level_file(level) for level in fitting)
    return next((path for path in paths if path.exists()), None)


def build_levels(folder: Path = PREBUILT) -> Iterator[Path]:
    """Compile the source for every level of this architecture.

    Args:
        folder: where the libraries go.

    Yields:
        Each of them, when it is made.

    Raises:
        FileNotFoundError: there is no C compiler.
        OSError: it cannot be written.
        subprocess.SubprocessError: it cannot be compiled.
    """
    found = compiler()
    if found is None:
        msg = f"no C compiler: expected one of {', '.join(_COMPILERS)}"
        raise FileNotFoundError(msg)
    for level in _levels():
        path = folder / _level_file(level)
        _compile(found, level.options, path)
        yield path


def processor_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return what tells processors with other instructions apart."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return frozenset(platform.processor().split())
    names = ("flags", "Features")  # as x86 and ARM call them
    line = next((line for line in lines if line.startswith(names)), "")
    return frozenset(line.partition(":")[2].split())


def _architecture() -> str:
    machine = platform.machine()
    return {"AMD64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


def _levels() -> tuple[Level, ...]:
    return LEVELS.get(_architecture(), ())


def _level_file(level: Level) -> str:
    # of another source: another name
    return f"kernel-{level.name}-{_digest(level.options)}.so"


def _digest(told: Sequence[str]) -> str:
    whole = "\0".join((SOURCE.read_text(), *_OPTIONS, *told))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _compile(compiler: str, options: Sequence[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        new = Path(scratch) / path.name
        subprocess.run(  # noqa: S603 - our own source, by the machine's compiler
            [compiler, *_OPTIONS, *options, str(SOURCE), "-o", str(new), "-lm"],
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
        # in one step: another process may be doing the same
        new.replace(path)


def main() -> None:
    """Compile all levels, and name what was made."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for path in build_levels():
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
