"""The service and other servers with the same network and rows, side by side.

Each in turn, in rounds: one client, then 32; the other servers are held still
meanwhile, since some poll. The others predict with the network as it was trained and
search a flat index; the service and the engine in this process do what a bundle does
that was built here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import psutil
from threadpoolctl import threadpool_limits

from benchmarks.servers.peer import PEERS, layouts, serving
from benchmarks.servers.tree import Tree
from benchmarks.speed.clients import answer_to, ask, post
from benchmarks.speed.load import (
    CLIENTS,
    K,
    contexts_in,
    octets_request,
    of_engine,
)
from benchmarks.speed.section import Goal, Section, table
from benchmarks.speed.service import running
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry
from nextvec.training.vectors import Float32

SERVICE: Final = "nextvec"
GOALS: Final = {"BentoML": 3.0, "LitServe": 5.0}
"""How many times better the service is to be, one client and 32."""

_WARM_S: Final = 0.4
_NUM_COMPARED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One server, asked in one way."""

    server: str
    layout: str
    wire: str
    port: int
    requests: Sequence[bytes]
    tree: Tree


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the rounds of one way measured."""

    one_ms: list[float] = field(default_factory=list)
    """Of one request by one client; a median."""

    per_s: list[float] = field(default_factory=list)
    """Requests a second by 32 clients."""

    processor_ms: list[float] = field(default_factory=list)
    """Time of processors that one of these took in the server's processes: it says
    the same on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that was measured in one run."""

    rounds: Mapping[tuple[str, str, str], Rounds]
    """By server, layout and wire."""

    shared: float
    """Share of the neighbors of the flat index that the service finds too."""

    def best(self, server: str, wire: str | None = None) -> Rounds:
        """Return the best of a server's ways in each round, each figure by itself.

        Args:
            server: its name.
            wire: how it is asked; None takes any.
        """
        own = [
            rounds
            for (name, _, how), rounds in self.rounds.items()
            if name == server and wire in (None, how)
        ]
        return Rounds(
            np.min([rounds.one_ms for rounds in own], axis=0).tolist(),
            np.max([rounds.per_s for rounds in own], axis=0).tolist(),
        )


def compare(
    best: Path, plain: Path, environments: Path, *, rounds: int, seconds: float
) -> Comparison:
    """Measure all of them.

    Args:
        best: bundle for the service.
        plain: bundle of the same network and rows for the others.
        environments: folder of their virtual environments, made if missing.
        rounds: how often each is measured.
        seconds: how long 32 clients ask in each round; one asks for a third of it.

    Raises:
        RuntimeError: a server answers with other neighbors than the same bundle in
            this process.
    """
    threadpool_limits(1, user_api="blas")
    engines = {"best": open_engine(best), "plain": open_engine(plain)}
    contexts = contexts_in(engines["plain"])
    with ExitStack() as stack:
        ways = list(_start(stack, best, plain, environments, contexts))
        shared = _check(ways, engines["plain"], contexts)
        figures = {_key(way): Rounds() for way in ways}
        figures |= {_in_process(name): Rounds() for name in engines}
        for _ in range(rounds):
            for name, engine in engines.items():
                one, many = zip(*of_engine(engine, contexts), strict=True)
                figures[_in_process(name)].one_ms.append(min(one))
                figures[_in_process(name)].per_s.append(max(many))
            for way in ways:
                _measure(way, figures[_key(way)], seconds)
    return Comparison(rounds=figures, shared=shared)


def _start(
    stack: ExitStack,
    best: Path,
    plain: Path,
    environments: Path,
    contexts: Sequence[Float32],
) -> Iterator[Way]:
    """Start every server, wait until it can be asked, and hold it still."""
    Registry(best.parent).make_live(open_engine(best).bundle)
    port, pid, _ = stack.enter_context(running(best.parent))
    tree = _held(stack, Tree(pid))
    told: dict[str, Callable[[Float32], bytes]] = {
        "octets": octets_request,
        "JSON arrays": _json_request,
    }
    for wire, request in told.items():
        yield Way(
            server=SERVICE,
            layout="as set up",
            wire=wire,
            port=port,
            requests=[request(context) for context in contexts],
            tree=tree,
        )
    for peer in PEERS:
        for layout in layouts(psutil.cpu_count() or 1):
            print(f"  starting {peer.name}, {layout} ...", flush=True)
            port, tree = stack.enter_context(serving(peer, layout, plain, environments))
            _held(stack, tree)
            for wire, request in peer.wires.items():
                yield Way(
                    server=peer.name,
                    layout=f"{layout.processes} x {layout.threads}",
                    wire=wire,
                    port=port,
                    requests=[request(context) for context in contexts],
                    tree=tree,
                )


def _held(stack: ExitStack, tree: Tree) -> Tree:
    """Hold a server still until the end; only what runs can be stopped."""
    tree.suspend()
    stack.callback(tree.resume)
    return tree


def _json_request(context: Float32) -> bytes:
    body = {"context": np.ascontiguousarray(context, np.float32), "k": K}
    told = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return post("/predict", told, "application/json")


def _measure(way: Way, rounds: Rounds, seconds: float) -> None:
    way.tree.resume()
    try:
        ask(way.port, way.requests, clients=1, seconds=_WARM_S)
        alone = ask(way.port, way.requests, clients=1, seconds=seconds / 3)
        ask(way.port, way.requests, clients=CLIENTS, seconds=_WARM_S)
        before = way.tree.processor_s()
        took = ask(way.port, way.requests, clients=CLIENTS, seconds=seconds)
        spent_s = way.tree.processor_s() - before
    finally:
        way.tree.suspend()
    rounds.one_ms.append(float(np.median(alone)))
    rounds.per_s.append(len(took) / seconds)
    rounds.processor_ms.append(1000 * spent_s / len(took))


def _check(ways: Sequence[Way], engine: Engine, contexts: Sequence[Float32]) -> float:
    """Compare answers; return the share of neighbors that the service finds too."""
    asked = [Query(engine=engine, context=c, k=K) for c in contexts[:_NUM_COMPARED]]
    ids = engine.bundle.catalogue.ids
    expected = [
        [ids[row] for row in answer.found.rows.tolist()] for answer in engine.run(asked)
    ]
    common = []
    for way in ways:
        way.tree.resume()
        requests = way.requests[: len(asked)]
        found = [ids_of(answer_to(way.port, request)) for request in requests]
        way.tree.suspend()
        pairs = list(zip(found, expected, strict=True))
        if way.server == SERVICE:
            common += [len({*one} & {*other}) / len(other) for one, other in pairs]
        elif any({*one} != {*other} for one, other in pairs):
            msg = f"{way.server} answers {found[0]}, expected {expected[0]}"
            raise RuntimeError(msg)
    return float(np.mean(common))


def ids_of(body: bytes) -> list[str]:
    """Return the ids in an answer, of the service or of another server."""
    told = orjson.loads(body)
    # a batch of one
    told = told[0] if isinstance(told, list) else told
    if "neighbors" in told:
        return [neighbor["id"] for neighbor in told["neighbors"]]
    ids: list[str] = told["ids"]
    return ids


def comparison_section(found: Comparison, *, rows: int, dim: int) -> Section:
    """Report a comparison."""
    return Section(list(_lines(found, rows, dim)), list(_goals(found)))


def _lines(found: Comparison, rows: int, dim: int) -> Iterator[str]:
    own = found.best(SERVICE)
    yield "## The same prediction behind other servers"
    yield ""
    yield f"{rows:,} x {dim}, Memory GRU, {len(own.one_ms)} rounds in turn, medians. "
    yield "BentoML and LitServe, each in an environment of its own, run the code of "
    yield "this project on the same weights and rows: the network in torch, float32, "
    yield "and a flat index, batches of up to 32. Layout: processes that predict x "
    yield "threads of each. Ratios say how many times better the best way of the "
    yield "service is, as medians of rounds; the others are held still while one is "
    yield f"asked. The service found {100 * found.shared:.1f} % of the neighbors that "
    yield "they find."
    yield ""
    heads = ("server", "layout", "body", "p50 of one, ms", f"a second, by {CLIENTS}")
    spent = "processors, ms for each of these"
    yield from table(
        (*heads, spent, "p50 ratio", "rate ratio"),
        (
            (
                *key,
                f"{np.median(rounds.one_ms):.1f}",
                f"{np.median(rounds.per_s):.0f}",
                f"{np.median(rounds.processor_ms):.1f}" if rounds.processor_ms else "",
                *(f"{ratio:.2f}" for ratio in ratios(own, rounds)),
            )
            for key, rounds in found.rounds.items()
        ),
    )
    yield ""


def _goals(found: Comparison) -> Iterator[Goal]:
    own = found.best(SERVICE)
    for peer in PEERS:
        documented = next(iter(peer.wires))
        least = GOALS[peer.name]
        for told, wire in (("as documented", documented), ("cheapest", None)):
            one, many = ratios(own, found.best(peer.name, wire))
            what = f"{peer.name}, body {told}"
            yield Goal(what=f"p50 of {what}, over ours", found=one, least=least)
            yield Goal(what=f"our rate over that of {what}", found=many, least=least)


def ratios(own: Rounds, other: Rounds) -> tuple[float, float]:
    """Return how many times better one is: of p50 and of rates, medians of rounds."""
    one = np.divide(other.one_ms, own.one_ms)
    many = np.divide(own.per_s, other.per_s)
    return float(np.median(one)), float(np.median(many))


def _key(way: Way) -> tuple[str, str, str]:
    return way.server, way.layout, way.wire


def _in_process(name: str) -> tuple[str, str, str]:
    return f"in this process, {name}", "better threads", "none"
