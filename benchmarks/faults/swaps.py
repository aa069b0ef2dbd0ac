"""Bundles that change under load: no failed request, no mixed answer, nothing grows.

Three small bundles in which the same ids are other vectors, and copies of them that are
damaged, are promoted and rolled back in turn while clients ask without a pause.
"""

import argparse
import http.client
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import psutil

from benchmarks.speed.resident import resident_mib
from benchmarks.speed.service import connect, running
from benchmarks.speed.training import small
from nextvec.app.access.key_file import create_key
from nextvec.app.bundle.manifest import MANIFEST, Manifest
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import POINTER, Registry
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.recipe import resolve
from nextvec.training.run import train
from nextvec.training.run_folder import WEIGHTS
from nextvec.training.vectors import Float32, l2_normalize

_DOCUMENTS: Final = 60
_LENGTH: Final = 200
_CONTEXT: Final = 50
_CONTEXTS: Final = 8
_K: Final = 10
_POLL_S: Final = 0.1
_TIMEOUT_S: Final = 60.0
_QUIET_S: Final = 5.0

Asked = tuple[str, bytes, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs, and a key for everything."""

    port: int
    pid: int
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What every request has to show."""
        return {"X-API-Key": self.key}


@dataclass(slots=True)
class Found:
    """What the clients met."""

    latencies_ms: list[tuple[float, float]] = field(default_factory=list)
    """When each was answered, and how long it took."""

    faults: list[str] = field(default_factory=list)
    """Answers that were no answer, or none of one bundle."""

    by_bundle: dict[str, int] = field(default_factory=dict)
    """Answers of each bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The service after some swaps."""

    swaps: int
    rss_mib: float
    threads: int
    files: int
    """Open descriptors and mapped files."""


def main(argv: Sequence[str] | None = None) -> list[str]:
    """Swap under load; return what was met, as lines of a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--documents", type=int, default=_DOCUMENTS)
    parser.add_argument("--seconds", type=float, default=_QUIET_S, help="without swaps")
    parser.add_argument("--keep", type=Path, help="folder of bundles made before")
    told = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="nextvec-swaps-") as scratch:
        root = Path(scratch)
        made = told.keep or root
        if not (made / "bundles").exists():
            make_bundles(made, documents=told.documents, dim=told.dim)
        bundles = Path(shutil.copytree(made / "bundles", root / "served"))
        good = Registry(bundles).versions()
        bad = spoil(bundles, good[0])
        with serving(bundles) as service:
            return _run(service, bundles, good, bad, told)


def make_bundles(root: Path, *, documents: int, dim: int) -> None:
    """Make three bundles, in which the same ids are other vectors."""
    for number in range(3):
        corpus = save_corpus(
            _corpus(documents, dim, seed=number), root / f"corpus{number}"
        )
        run = root / f"run{number}"
        train(corpus, small(resolve("default", {})), run)
        built = build_bundle(run, root / "bundles", corpus=root / f"corpus{number}")
        Registry(root / "bundles").make_live(built)


def spoil(bundles: Path, name: str) -> list[str]:
    """Copy a bundle, and damage the copies each in another way; return the names."""

    def flip(folder: Path) -> None:
        path = folder / WEIGHTS
        octets = bytearray(path.read_bytes())
        octets[len(octets) // 2] ^= 1
        path.write_bytes(octets)

    def forget(folder: Path) -> None:
        (folder / MANIFEST).write_bytes(b"{}")

    def lie(folder: Path) -> None:
        manifest = Manifest.load(folder)
        if manifest.golden is None:
            msg = f"{folder}: expected a golden query"
            raise ValueError(msg)
        first, *others = manifest.golden.prediction
        golden = replace(manifest.golden, prediction=[first + 1.0, *others])
        replace(manifest, golden=golden).save(folder)

    names = []
    for number, damage in enumerate((flip, forget, lie)):
        folder = _copied(bundles / name, f"spoiled{number}")
        damage(folder)
        names.append(folder.name)
    return [*names, "never-built"]


def _copied(folder: Path, name: str) -> Path:
    """Copy a bundle beside it, sealed under another name, so that nothing is wrong."""
    manifest = Manifest.load(folder)
    version = manifest.version_as(name)
    copy = Path(shutil.copytree(folder, folder.with_name(version)))
    replace(manifest, version=version).save(copy)
    return copy


@contextmanager
def serving(bundles: Path) -> Iterator[Served]:
    """Run a service with admin routes."""
    keys = bundles.with_name("keys.json")
    _, secret = create_key(keys, "admin")
    settings = {"NEXTVEC_KEYS": str(keys), "NEXTVEC_LIVE_POLL_S": str(_POLL_S)}
    with running(bundles, **settings) as (port, pid, _):
        yield Served(port, pid, secret)


def ask(
    service: Served, method: str, path: str, body: object = None
) -> tuple[int, Any]:
    """Ask once, on a connection of its own; return status and JSON."""
    connection = connect(service.port)
    try:
        content = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} | service.headers
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read())
    finally:
        connection.close()


def _run(
    service: Served,
    bundles: Path,
    good: list[str],
    bad: list[str],
    told: argparse.Namespace,
) -> list[str]:
    asked = _requests(told.documents, told.dim)
    expected = {name: _expected(service, name, asked) for name in good}
    found, leave = Found(), threading.Event()
    clients = [
        threading.Thread(
            target=_client, args=(service, asked, expected, found, leave, at)
        )
        for at in range(told.clients)
    ]
    for client in clients:
        client.start()
    process = psutil.Process(service.pid)
    time.sleep(told.seconds)
    quiet_until = time.perf_counter()
    states, took_ms, wrong = [], dict[str, list[float]](), []
    steps = _steps(service, bundles, good, bad)
    for number in range(1, told.swaps + 1):
        kind, step = next(steps)
        began = time.perf_counter()
        fault = step()
        took_ms.setdefault(kind, []).append(1000 * (time.perf_counter() - began))
        if fault is not None:
            wrong.append(f"{kind}: {fault}")
        if ask(service, "GET", "/readyz")[0] != 200:
            wrong.append(f"{kind}: not ready after it")
        if number % max(1, told.swaps // 10) == 0:
            states.append(_state(process, number))
    leave.set()
    for client in clients:
        client.join()
    return _lines(found, quiet_until, states, took_ms, wrong)


def _steps(
    service: Served, bundles: Path, good: list[str], bad: list[str]
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Yield what an operator does next, and how to call it."""
    names, spoiled = cycle(good), cycle(bad)
    for number in count():
        name = next(names)
        if number % 2:
            yield "promote", partial(_promote, service, name)
        else:
            yield "LIVE", partial(_point, service, bundles, name)
        yield "bad promote", partial(_refused, service, next(spoiled))
        yield "rollback", partial(_rollback, service)
        yield "bad LIVE", partial(_bad_live, service, bundles, next(spoiled))
        yield "rollback", partial(_rollback, service)


def _promote(service: Served, name: str) -> str | None:
    status, answer = ask(service, "POST", "/admin/promote", {"bundle": name})
    if status != 200 or answer["serving"] != name:
        return str(answer)
    return None


def _refused(service: Served, name: str) -> str | None:
    status, answer = ask(service, "POST", "/admin/promote", {"bundle": name})
    return None if status in {404, 409} and answer["detail"] else str(answer)


def _rollback(service: Served) -> str | None:
    status, answer = ask(service, "POST", "/admin/rollback")
    return None if status == 200 else str(answer)


def _point(service: Served, bundles: Path, name: str) -> str | None:
    """Promote as another process does: LIVE is another one, nobody is told."""
    pointer = Registry(bundles).pointer()
    before = None if pointer is None else pointer.version
    _write(bundles, {"version": name, "previous": before})
    return _until(service, lambda told: told["serving"] == name)


def _bad_live(service: Served, bundles: Path, name: str) -> str | None:
    serving = _bundles(service)["serving"]
    _write(bundles, {"version": name, "previous": serving})
    return _until(
        service,
        lambda told: (
            told["serving"] == serving
            and told["live"] == name
            and (told["refused"] or {}).get("bundle") == name
        ),
    )


def _write(bundles: Path, pointer: dict[str, str | None]) -> None:
    new = bundles / f".{POINTER}.new"
    new.write_bytes(orjson.dumps(pointer))
    new.replace(bundles / POINTER)


def _bundles(service: Served) -> Any:  # noqa: ANN401 - JSON
    return ask(service, "GET", "/info")[1]["bundles"]


def _until(service: Served, is_so: Callable[[Any], bool]) -> str | None:
    until = time.monotonic() + _TIMEOUT_S
    while not is_so(told := _bundles(service)):
        if time.monotonic() > until:
            return f"not taken up: {told}"
        time.sleep(_POLL_S / 4)
    return None


def _client(
    service: Served,
    asked: list[Asked],
    expected: dict[str, list[Any]],
    found: Found,
    leave: threading.Event,
    at: int,
) -> None:
    connection = connect(service.port)
    for number in count(at):
        if leave.is_set():
            break
        place = number % len(asked)
        path, body, headers = asked[place]
        began = time.perf_counter()
        try:
            connection.request("POST", path, body, headers | service.headers)
            answer = connection.getresponse()
            status, content = answer.status, orjson.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            found.faults.append(f"no answer: {error!r}")
            connection.close()
            continue
        now = time.perf_counter()
        found.latencies_ms.append((now, 1000 * (now - began)))
        if status != 200:
            found.faults.append(f"{status}: {content}")
            continue
        bundle = content["bundle"]
        found.by_bundle[bundle] = found.by_bundle.get(bundle, 0) + 1
        if _told(content) != expected[bundle][place]:
            found.faults.append(f"not as {bundle} answers alone")
    connection.close()


def _requests(documents: int, dim: int) -> list[Asked]:
    """Return contexts, by ids and as octets; all bundles know all of them."""
    rng, asked = np.random.default_rng(9), list[Asked]()
    for _ in range(_CONTEXTS):
        document, start = rng.integers(documents), rng.integers(_LENGTH - _CONTEXT)
        ids = [f"page{document}#{start + place}" for place in range(_CONTEXT)]
        body = orjson.dumps({"ids": ids, "k": _K})
        asked.append(("/predict", body, {"Content-Type": "application/json"}))
        octets = rng.standard_normal((_CONTEXT, dim), np.float32).tobytes()
        headers = {"Content-Type": "application/octet-stream"}
        asked.append((f"/predict?k={_K}", octets, headers))
    return asked


def _expected(service: Served, name: str, asked: list[Asked]) -> list[Any]:
    """Return what a bundle answers while nobody else asks."""
    fault = _promote(service, name)
    if fault is not None:
        raise RuntimeError(fault)
    answers = []
    for path, body, headers in asked:
        connection = connect(service.port)
        connection.request("POST", path, body, headers | service.headers)
        answers.append(_told(orjson.loads(connection.getresponse().read())))
        connection.close()
    return answers


def _told(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Return all of an answer that does not depend on rounding."""
    neighbors = [
        (one["id"], one["document"], one["text"]) for one in content["neighbors"]
    ]
    versions = [content[name] for name in ("bundle", "model_version", "index_version")]
    return sorted(neighbors), versions


def _state(process: psutil.Process, swaps: int) -> State:
    return State(
        swaps=swaps,
        rss_mib=resident_mib(process),
        threads=process.num_threads(),
        files=process.num_fds() + len(process.memory_maps()),
    )


def _corpus(documents: int, dim: int, *, seed: int) -> Corpus:
    """Return documents that wander, each vector near the one before."""
    rows: Float32 = np.random.default_rng(seed).standard_normal(
        (documents, _LENGTH, dim), np.float32
    )
    for place in range(1, _LENGTH):
        rows[:, place] += 0.8 * rows[:, place - 1]
    places = [divmod(row, _LENGTH) for row in range(documents * _LENGTH)]
    return Corpus(
        vectors=l2_normalize(rows.reshape(-1, dim)),
        ids=[f"page{document}#{place}" for document, place in places],
        rows=np.arange(documents * _LENGTH),
        offsets=np.arange(documents + 1) * _LENGTH,
        document_ids=[f"page{document}" for document in range(documents)],
        texts=[f"seed {seed}, page {page}, place {at}" for page, at in places],
        card=CorpusCard(name=f"seed{seed}", encoder="none", source="synthetic"),
    )


def _lines(
    found: Found,
    quiet_until: float,
    states: list[State],
    took_ms: dict[str, list[float]],
    wrong: list[str],
) -> list[str]:
    quiet = [took for at, took in found.latencies_ms if at <= quiet_until]
    during = [took for at, took in found.latencies_ms if at > quiet_until]
    bundles = ", ".join(f"{name} {count}" for name, count in found.by_bundle.items())
    summary = (
        f"{len(found.latencies_ms)} answers ({bundles}): {len(found.faults)} failed "
        f"or mixed; {len(wrong)} of {sum(map(len, took_ms.values()))} promotions and "
        "rollbacks went otherwise than they should."
    )
    lines = [
        "## Bundles that change under load",
        "",
        summary,
        *(f"- {fault[:300]}" for fault in [*found.faults[:5], *wrong[:5]]),
        "",
        "| requests | p50 ms | p99 ms | most ms |",
        "| --- | --- | --- | --- |",
    ]
    for what, ms in (("without swaps", quiet), ("during swaps", during)):
        p50, p99, most = np.percentile(ms, (50, 99, 100))
        lines.append(f"| {what} | {p50:.1f} | {p99:.1f} | {most:.1f} |")
    lines += [
        "",
        "| operation | times | p50 ms | most ms |",
        "| --- | --- | --- | --- |",
    ]
    for kind, ms in took_ms.items():
        p50, most = np.percentile(ms, (50, 100))
        lines.append(f"| {kind} | {len(ms)} | {p50:.0f} | {most:.0f} |")
    lines += [
        "",
        "| after swaps | resident MiB | threads | files and mappings |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.swaps} | {one.rss_mib:.0f} | {one.threads} | {one.files} |"
        for one in states
    ]
    return lines


if __name__ == "__main__":
    print("\n".join(main()))
