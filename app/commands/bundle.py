"""``bundle``: make bundles, and choose which one is live."""

import shlex
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nextvec.app.bundle.engine_names import AUTO, ENGINES
from nextvec.app.bundle.index_kinds import DEFAULT_KIND, INDEX_KIND_NAMES
from nextvec.app.commands.options import BundlesFolder
from nextvec.app.settings import read_settings
from nextvec.training.commands.console import (
    EXIT_CODE,
    AsJson,
    console,
    handle_errors,
    print_json,
    progress_bars,
    say_next,
)
from nextvec.training.commands.folders import CORPORA, RUNS
from nextvec.training.errors import ProjectError

if TYPE_CHECKING:
    from nextvec.app.bundle.bundle import Bundle
    from nextvec.app.bundle.manifest import Manifest
    from nextvec.app.release.registry import Registry

_UNTOLD: Final = ("files", "sizes", "golden", "format")


@handle_errors()
def build(
    run: Annotated[
        Path, typer.Argument(help=f"Folder of a finished run, or its name in {RUNS}.")
    ],
    *,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Folder or name of its corpus (default: the one in its card)."
        ),
    ] = None,
    index: Annotated[
        str, typer.Option(help=f"Kind of the index: {', '.join(INDEX_KIND_NAMES)}.")
    ] = DEFAULT_KIND,
    bundles: BundlesFolder = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline",
            help="Instead of its network what was best without training: of "
            "documents the closed form it started from, of items that over their ids.",
        ),
    ] = False,
    plain_cosine: Annotated[
        bool,
        typer.Option(
            "--plain-cosine",
            help="Rank by cosine alone, whatever validation chose.",
        ),
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            help=f"What runs the network: {', '.join((AUTO, *ENGINES))}; auto measures "
            "them here and takes the fastest that agrees with eager."
        ),
    ] = AUTO,
    promote: Annotated[
        bool, typer.Option("--promote", help="Also make it live.")
    ] = False,
) -> None:
    """Put a run's model, its index and its validation together as one version."""
    from nextvec.app.release.building import build_bundle
    from nextvec.training.baseline_run import baseline_run
    from nextvec.training.commands.listener import ConsoleListener
    from nextvec.training.commands.names import corpus_folder, run_folder

    registry = _registry(bundles)
    run = run_folder(run, RUNS)
    corpus = None if corpus is None else corpus_folder(corpus, CORPORA)
    with TemporaryDirectory(prefix="nextvec-") as scratch:
        if baseline:
            with ConsoleListener() as listener:
                run = baseline_run(
                    run,
                    Path(scratch),
                    runs=run.parent,
                    corpus_folder=corpus,
                    listener=listener,
                )
        with progress_bars() as progress:
            built = build_bundle(
                run,
                registry.folder,
                corpus=corpus,
                index_kind=index,
                plain_cosine=plain_cosine,
                engine=engine,
                say=lambda stage: console.print(f"· {stage}", soft_wrap=True),
                progress=progress,
            )
    if promote:
        registry.make_live(built)
        _say_live(built, registry)
        return
    say_next(f"nextvec bundle promote {built.manifest.version}{_where(registry)}")


@handle_errors()
def list_bundles(*, bundles: BundlesFolder = None, as_json: AsJson = False) -> None:
    """List the bundles; the live one is marked, one that cannot be read named."""
    registry = _registry(bundles)
    pointer = registry.pointer()
    marks = {} if pointer is None else {pointer.previous: "previous"}
    if pointer is not None:
        marks[pointer.version] = "live"
    found = {version: _read(registry, version) for version in registry.versions()}
    if as_json:
        print_json([_listed(v, one, marks.get(v)) for v, one in found.items()])
        return
    console.print(f"Bundles in {registry.folder}:", soft_wrap=True, highlight=False)
    for version, manifest in found.items():
        # no table: in a narrow column the name would be broken
        mark = f"  ({marks[version]})" if version in marks else ""
        console.print(f"[bold]{version}[/]{mark}", soft_wrap=True, highlight=False)
        if isinstance(manifest, str):
            _say_bad(manifest)
            continue
        console.print(
            f"    {manifest.created}, run {manifest.run}, corpus "
            f"{manifest.corpus_name}, {manifest.num_vectors:,} vectors, index "
            f"{manifest.index_kind}, engine {manifest.engine.name}",
            soft_wrap=True,
            highlight=False,
        )
    if not found:
        console.print("none", highlight=False)
        say_next("nextvec bundle build RUN --promote")


def _read(registry: "Registry", version: str) -> "Manifest | str":
    """Return what a bundle is made of, or why it is none of this folder."""
    try:
        return registry.manifest(version)
    except ProjectError as error:
        return str(error)


def _say_bad(reason: str) -> None:
    """Say what is wrong with a bundle, beneath its name."""
    console.print(
        f"    cannot be used: {reason}", style="red", markup=False, soft_wrap=True
    )


def _listed(version: str, found: "Manifest | str", mark: str | None) -> dict[str, Any]:
    """Return what a list tells of a bundle; its checksums it keeps to itself."""
    if isinstance(found, str):
        return {"is": mark, "version": version, "error": found}
    told = asdict(found)
    return {"is": mark} | {k: v for k, v in told.items() if k not in _UNTOLD}


@handle_errors()
def verify(
    versions: Annotated[
        list[str] | None,
        typer.Argument(help="Versions of the bundles (default: all of them)."),
    ] = None,
    *,
    bundles: BundlesFolder = None,
) -> None:
    """Say whether bundles are whole: seal, every file, and the golden query."""
    from nextvec.app.inference.golden import open_engine

    registry, num_bad = _registry(bundles), 0
    for version in versions or registry.versions():
        try:
            with progress_bars() as progress:
                open_engine(registry.path(version), progress)
        except ProjectError as error:
            num_bad += 1
            console.print(f"[bold]{version}[/]", soft_wrap=True, highlight=False)
            _say_bad(str(error))
        else:
            console.print(
                f"[bold]{version}[/]  is whole", soft_wrap=True, highlight=False
            )
    if num_bad:
        raise typer.Exit(EXIT_CODE)


@handle_errors()
def promote(
    version: Annotated[str, typer.Argument(help="Version of the bundle.")],
    *,
    require_go: Annotated[
        bool,
        typer.Option("--require-go", help="Refuse a bundle whose readiness is NO-GO."),
    ] = False,
    bundles: BundlesFolder = None,
) -> None:
    """Make a bundle live, once it has answered its golden query.

    A running service takes it up within seconds, without a restart.
    """
    registry = _registry(bundles)
    with progress_bars() as progress:
        bundle = registry.promote(version, require_go=require_go, progress=progress)
    _say_live(bundle, registry)


@handle_errors()
def rollback(*, bundles: BundlesFolder = None) -> None:
    """Make the bundle live that was live before.

    A running service takes it up within seconds, without a restart. Said twice, it goes
    forward again.
    """
    version = _registry(bundles).rollback()
    console.print(
        f"{version} is live again; a running service takes it up within seconds.",
        soft_wrap=True,
    )


@handle_errors()
def remove(
    version: Annotated[str, typer.Argument(help="Version of the bundle.")],
    *,
    bundles: BundlesFolder = None,
) -> None:
    """Delete a bundle that is neither live nor the one before it."""
    registry = _registry(bundles)
    registry.remove(version)
    console.print(f"{version} is removed.", soft_wrap=True, highlight=False)
    say_next(f"nextvec bundle list{_where(registry)}")


def _registry(bundles: Path | None) -> "Registry":
    """Return the bundles that were told, or else those of the settings."""
    from nextvec.app.release.registry import Registry

    return Registry(read_settings(bundles=bundles).bundles)


def _say_live(bundle: "Bundle", registry: "Registry") -> None:
    console.print(
        f"{bundle.manifest.version} is live (readiness {bundle.verdict}); a running "
        "service takes it up within seconds.",
        soft_wrap=True,
    )
    say_next(f"nextvec serve{_where(registry)}")


def _where(registry: "Registry") -> str:
    """Return the option that names these bundles, nothing if the settings do."""
    if registry.folder == read_settings().bundles:
        return ""
    return f" --bundles {shlex.quote(str(registry.folder))}"
