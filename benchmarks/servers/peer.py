"""BentoML and LitServe: where they come from, how they are started and asked."""

import base64
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from benchmarks.peers.environment import Library, make_environment
from benchmarks.servers.answering import BUNDLE, WORKERS
from benchmarks.servers.tree import Tree
from benchmarks.speed.clients import free_port, post
from benchmarks.speed.service import is_ready
from nextvec.training.vectors import Float32

_HERE: Final = Path(__file__).parent
_REPOSITORY: Final = _HERE.parents[1]
_START_TIMEOUT_S: Final = 120.0
_BOUNDARY: Final = "context-ends-here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another server."""

    name: str

    library: Library
    """What its environment holds."""

    command: tuple[str, ...]
    """What Python is given there, ``{port}`` in place of the port."""

    ready: str
    """Path that answers 200 when it can be asked."""

    wires: Mapping[str, Callable[[Float32], bytes]]
    """Whole requests for a context ``(T, D)``, by how it is sent: the first as the
    documentation shows it, the others cheaper."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a server's work is divided."""

    processes: int
    """That predict."""

    threads: int
    """Of torch and of the index in each."""


def bentoml_arrays(context_TD: Float32) -> bytes:
    """Send a batch of one as arrays in JSON, numbers as short as float32 allows."""
    return post("/predict", _json({"contexts": context_TD[None]}), _JSON)


def bentoml_file(context_TD: Float32) -> bytes:
    """Send a batch of one as a file in a form."""
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="contexts"; filename="context"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = b"".join(
        (head.encode(), _octets(context_TD), f"\r\n--{_BOUNDARY}--\r\n".encode())
    )
    return post("/files", body, f"multipart/form-data; boundary={_BOUNDARY}")


def litserve_arrays(context_TD: Float32) -> bytes:
    """Send a context as arrays in JSON, numbers as short as float32 allows."""
    return post("/predict", _json({"context": context_TD}), _JSON)


def litserve_base64(context_TD: Float32) -> bytes:
    """Send a context as base64 in JSON, as LitServe has it of images."""
    told = base64.b64encode(_octets(context_TD)).decode()
    return post("/predict", _json({"context": told}), _JSON)


_JSON: Final = "application/json"

BENTOML: Final = Peer(
    name="BentoML",
    library=Library(
        name="bentoml",
        requirements=_HERE / "requirements-bentoml.txt",
        module="bentoml",
    ),
    command=(
        *("serve", "benchmarks.servers.bentoml_app:NextVector"),
        *("--host", "127.0.0.1", "--port", "{port}"),
    ),
    ready="/readyz",
    wires={"JSON arrays": bentoml_arrays, "file": bentoml_file},
)
LITSERVE: Final = Peer(
    name="LitServe",
    library=Library(
        name="litserve",
        requirements=_HERE / "requirements-litserve.txt",
        module="benchmarks.servers.litserve_app",
    ),
    command=("{port}",),
    ready="/health",
    wires={"JSON arrays": litserve_arrays, "base64": litserve_base64},
)
PEERS: Final = (BENTOML, LITSERVE)


def layouts(cpus: int) -> tuple[Layout, ...]:
    """Return what may be best: one process with all threads, or each CPU one."""
    one = Layout(1, cpus)
    return (one,) if cpus == 1 else (one, Layout(cpus, 1))


@contextmanager
def serving(
    peer: Peer, layout: Layout, bundle: Path, environments: Path
) -> Iterator[tuple[int, Tree]]:
    """Serve a bundle on a free port of 127.0.0.1; yield the port and the processes.

    Args:
        peer: what serves.
        layout: how its work is divided.
        bundle: folder of the bundle.
        environments: folder of the virtual environments, made if missing.

    Raises:
        RuntimeError: it ended before it could be asked.
        TimeoutError: it could not be asked within two minutes.
        TrainingError: its environment could not be made.
    """
    python, port = make_environment(peer.library, environments), free_port()
    told = [part.format(port=port) for part in peer.command]
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {
            BUNDLE: str(bundle.absolute()),
            WORKERS: str(layout.processes),
            # torch's own setting counts in the thread that makes it alone
            "OMP_NUM_THREADS": str(layout.threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": str(_REPOSITORY),
            "BENTOML_HOME": scratch,
            "BENTOML_DO_NOT_TRACK": "True",
        }
        log = Path(scratch) / "log"
        with (
            log.open("wb") as said,
            subprocess.Popen(  # noqa: S603 - a fixed command, no shell
                [str(python), "-m", peer.library.module, *told],
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=_REPOSITORY,
            ) as process,
        ):
            tree = Tree(process.pid)
            try:
                _wait(peer, port, process, log)
                yield port, tree
            finally:
                if process.poll() is None:
                    tree.resume()
                    tree.stop()


def _wait(peer: Peer, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            msg = f"{peer.name} ended: {log.read_text(errors='replace')[-2000:]}"
            raise RuntimeError(msg)
        if is_ready(port, peer.ready):
            return
        time.sleep(0.1)
    told = log.read_text(errors="replace")[-2000:]
    msg = f"{peer.name} was not ready within {_START_TIMEOUT_S} s: {told}"
    raise TimeoutError(msg)


def _octets(context_TD: Float32) -> bytes:
    return np.ascontiguousarray(context_TD, "<f4").tobytes()


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
