"""What a step of a session costs beside a whole context.

    python -m benchmarks.speed.sessions [--bundles DIR --corpus DIR]

In the network alone for every kind that steps, and over HTTP for a bundle of items.
"""

import argparse
import http.client
import platform
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import psutil
import torch
from torch.nn.functional import normalize

from benchmarks.speed.service import connect, running
from nextvec.app.bundle.engine_names import EAGER, INT8
from nextvec.app.inference.predictors import Predictor, make_predictor
from nextvec.training.corpus.store import load_corpus
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.vectors import CONTEXT_LENGTH

_ROUNDS: Final = 25
_STEPS: Final = 4
# The last of a context are timed in each round, beside one whole context.

_ITEMS: Final[dict[str, Any]] = {"dim": 128, "num_items": 2000}
_DOCUMENTS: Final[dict[str, Any]] = {
    "dim": 768,
    "reads": "vectors",
    "base": ClosedForm(memory=SequenceMemory()),
}

NETWORKS: Final[dict[str, dict[str, Any]]] = {
    "Baseline GRU, items": {"architecture": "baseline", **_ITEMS},
    "Memory GRU, items": {"architecture": "memory", **_ITEMS},
    "Memory GRU, items that return": {
        "architecture": "memory",
        "can_copy": True,
        **_ITEMS,
    },
    "Hierarchical GRU, items": {"architecture": "hierarchical", **_ITEMS},
    "Baseline GRU, documents by vectors": {"architecture": "baseline", **_DOCUMENTS},
    "Memory GRU, documents by vectors": {"architecture": "memory", **_DOCUMENTS},
}


def networks() -> Iterator[str]:
    """Measure each network with 1 and 32 contexts of 100, as rows of a table."""
    yield (
        "| network | D | together | engine | whole, ms | step, ms | whole / step "
        "| whole of eager / step | state |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, options in NETWORKS.items():
        model = NextVectorModel(ModelConfig(**options)).eval()
        engines = {engine: make_predictor(model, engine) for engine in (EAGER, INT8)}
        for count in (1, 32):
            times_s = {
                engine: _network(one, int(options["dim"]), count)
                for engine, one in engines.items()
            }
            for engine, (whole_s, step_s) in times_s.items():
                stepping = engines[engine].stepping
                kib = stepping.state_bytes(CONTEXT_LENGTH) / 1024 if stepping else 0
                yield (
                    f"| {name} | {options['dim']} | {count} | {engine} "
                    f"| {1000 * whole_s:.2f} | {1000 * step_s:.2f} "
                    f"| {whole_s / step_s:.0f} | {times_s[EAGER][0] / step_s:.0f} "
                    f"| {kib:.0f} KiB |"
                )


@torch.inference_mode()
def _network(predictor: Predictor, dim: int, count: int) -> tuple[float, float]:
    """Return the median CPU seconds of whole contexts, and of their last steps."""
    stepping = predictor.stepping
    if stepping is None:
        msg = f"{predictor.name} has no steps"
        raise ValueError(msg)
    context_BTD = torch.randn(count, CONTEXT_LENGTH, dim)
    contexts = list(normalize(context_BTD, dim=-1))
    length_B = torch.full((count,), CONTEXT_LENGTH)
    before = CONTEXT_LENGTH - _STEPS - 1
    start = [
        stepping.step([stepping.start()], [context_TD[:before]])[0][0]
        for context_TD in contexts
    ]
    took: dict[str, list[float]] = {"whole": [], "step": []}
    for _ in range(_ROUNDS):
        # in turn, so that a slow moment of the machine meets both
        began = time.thread_time()
        predictor(torch.stack(contexts), length_B)
        took["whole"].append(time.thread_time() - began)
        states = start
        for end in range(before + 1, CONTEXT_LENGTH + 1):
            grown = [context_TD[:end] for context_TD in contexts]
            began = time.thread_time()
            states, _found = stepping.step(states, grown)
            # the first of a round copies what all rounds begin with
            if end > before + 1:
                took["step"].append(time.thread_time() - began)
    return float(np.median(took["whole"])), float(np.median(took["step"]))


def _seconds(do: Callable[[], None]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def over_http(bundles: Path, corpus: Path, *, requests: int) -> Iterator[str]:
    """Measure a service of items, one client and many, as rows of a table."""
    loaded = load_corpus(corpus)
    longest = loaded.known(int(np.argmax(loaded.lengths)))
    ids = [loaded.ids[row] for row in longest[:CONTEXT_LENGTH]]
    yield "| clients | contexts of 100 ids | appending one id | ratio |"
    yield "|---|---|---|---|"
    with running(bundles) as (port, _, _):
        one = _Client(port, ids)
        took: dict[str, list[float]] = {"whole": [], "step": []}
        for _ in range(requests):
            took["whole"].append(_seconds(one.whole))
            took["step"].append(_seconds(one.step))
        whole, step = (1000 * float(np.median(took[k])) for k in ("whole", "step"))
        yield f"| 1, p50 | {whole:.2f} ms | {step:.2f} ms | {whole / step:.1f} |"
        clients = [_Client(port, ids) for _ in range(32)]
        whole_s, step_s = (
            _together([getattr(client, what) for client in clients], requests)
            for what in ("whole", "step")
        )
        yield (
            f"| 32 | {1 / whole_s:.0f} a second | {1 / step_s:.0f} a second "
            f"| {whole_s / step_s:.1f} |"
        )


class _Client:
    """One connection, and one session on it that holds half a context."""

    def __init__(self, port: int, ids: list[str]) -> None:
        self._connection, self._ids = connect(port), ids
        half = {"ids": ids[: CONTEXT_LENGTH // 2]}
        self._name, self._at = self._post("/sessions", half)["session"], len(ids) // 2

    def whole(self) -> None:
        self._post("/predict", {"ids": self._ids})

    def step(self) -> None:
        self._at = (self._at + 1) % len(self._ids)
        self._post(f"/sessions/{self._name}", {"ids": [self._ids[self._at]]})

    def _post(self, path: str, body: object) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", path, orjson.dumps(body), headers)
        answer = self._connection.getresponse()
        content: dict[str, Any] = orjson.loads(answer.read())
        if answer.status not in (http.client.OK, http.client.CREATED):
            msg = f"{path}: got {answer.status}: {content}"
            raise RuntimeError(msg)
        return content


def _together(calls: list[Callable[[], None]], requests: int) -> float:
    """Return seconds for each of the requests that all make at the same time."""
    each = max(1, requests // 4)

    def work(call: Callable[[], None]) -> None:
        for _ in range(each):
            call()

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - began) / (each * len(calls))


def main() -> None:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=Path, help="a live bundle of items")
    parser.add_argument("--corpus", type=Path, help="what it was made from")
    parser.add_argument("--requests", type=int, default=100)
    told = parser.parse_args()
    torch.set_num_threads(1)
    print(f"# A step beside a whole context, {datetime.now(UTC):%Y-%m-%d}\n")
    print(f"{platform.platform()}, {psutil.cpu_count()} CPUs, one thread; ", end="")
    print(f"Python {platform.python_version()}, torch {torch.__version__}; ", end="")
    print(f"load when it began {psutil.getloadavg()[0]:.1f}.\n")
    for line in networks():
        print(line, flush=True)
    if told.bundles is not None and told.corpus is not None:
        print()
        for line in over_http(told.bundles, told.corpus, requests=told.requests):
            print(line, flush=True)


if __name__ == "__main__":
    main()
