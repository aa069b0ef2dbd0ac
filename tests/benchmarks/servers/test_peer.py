"""Other servers are sent the same numbers, and stopped whole."""

import base64
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import orjson
import psutil
import pytest

from benchmarks.servers.peer import PEERS, Layout, Peer, layouts
from benchmarks.servers.tree import Tree

_PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(child.pid, flush=True);"
    "time.sleep(60)"
)


@pytest.mark.parametrize(
    ("peer", "wire"),
    [
        pytest.param(peer, wire, id=f"{peer.name}, {wire}")
        for peer in PEERS
        for wire in peer.wires
    ],
)
def test_every_wire_carries_the_same_numbers(peer: Peer, wire: str) -> None:
    context_TD = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)

    head, _, body = peer.wires[wire](context_TD).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head
    if wire == "file":
        sent = np.frombuffer(body.split(b"\r\n\r\n", 1)[1][: context_TD.nbytes], "<f4")
    else:
        told = orjson.loads(body)
        (value,) = told.values()
        if wire == "base64":
            sent = np.frombuffer(base64.b64decode(value), "<f4")
        else:
            sent = np.array(value, np.float32)
    np.testing.assert_array_equal(sent.reshape(3, 4), context_TD)


def test_every_peer_pins_what_it_needs() -> None:
    for peer in PEERS:
        pins = peer.library.requirements.read_text().splitlines()
        assert "torch==2.13.0" in pins
        assert any(pin.startswith(f"{peer.library.name}==") for pin in pins)
        assert {"faiss-cpu", "safetensors"} <= {pin.split("==")[0] for pin in pins}


def test_one_cpu_is_divided_in_one_way() -> None:
    assert layouts(1) == (Layout(1, 1),)
    assert layouts(4) == (Layout(1, 4), Layout(4, 1))


def test_a_tree_is_held_and_stopped_with_its_children() -> None:
    with subprocess.Popen(  # noqa: S603 - a fixed command
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        tree = Tree(process.pid)

        tree.suspend()
        _until(lambda: _stopped(tree) == 2)
        tree.resume()
        _until(lambda: _stopped(tree) == 0)
        tree.stop()

    assert process.returncode != 0
    _, alive = psutil.wait_procs([child], timeout=10)
    assert all(one.status() == psutil.STATUS_ZOMBIE for one in alive)
    assert tree.processes() == []


def _stopped(tree: Tree) -> int:
    states = [process.status() for process in tree.processes()]
    return states.count(psutil.STATUS_STOPPED)


def _until(is_so: Callable[[], bool]) -> None:
    """Wait for what a signal does, which is not done when it is sent."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
