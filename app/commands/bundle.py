"""``bundle``: make bundles, and choose which one is live."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.bundle.bundle import Bundle
from app.bundle.index import INDEX_KINDS
from app.bundle.manifest import Manifest
from app.release.building import build_bundle
from app.release.registry import Registry
from training.commands.console import console, handle_errors

BUNDLES = Path("artifacts/bundles")
"""Folder of the bundles, unless an option says another."""

bundle_app = typer.Typer(
    no_args_is_help=True, help="Make bundles, and choose which one is live."
)

BundlesFolder = Annotated[Path, typer.Option(help="Folder that holds the bundles.")]


@bundle_app.command()
@handle_errors()
def build(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    *,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of its corpus (default: the one in its card)."),
    ] = None,
    index: Annotated[
        str, typer.Option(help=f"Kind of the index: {', '.join(INDEX_KINDS)}.")
    ] = "flat",
    bundles: BundlesFolder = BUNDLES,
    promote: Annotated[
        bool, typer.Option("--promote", help="Also make it live.")
    ] = False,
) -> None:
    """Put a run's model, its index and its validation together as one version."""
    built = build_bundle(
        run,
        bundles,
        corpus=corpus,
        index_kind=index,
        say=lambda stage: console.print(f"· {stage}", soft_wrap=True),
    )
    if promote:
        Registry(bundles).make_live(built)
        _say_live(built)


@bundle_app.command("list")
@handle_errors()
def list_bundles(*, bundles: BundlesFolder = BUNDLES) -> None:
    """List the bundles; the live one is marked."""
    registry = Registry(bundles)
    pointer = registry.pointer()
    table = Table(title=f"Bundles in {bundles}")
    for column in ("", "version", "created", "run", "corpus", "vectors", "index"):
        table.add_column(column, overflow="fold")
    for version in registry.versions():
        manifest = Manifest.load(registry.path(version))
        mark = ""
        if pointer is not None:
            marks = {pointer.version: "live", pointer.previous: "previous"}
            mark = marks.get(version, "")
        table.add_row(
            mark,
            version,
            manifest.created,
            manifest.run,
            manifest.corpus_name,
            f"{manifest.num_vectors:,}",
            manifest.index_kind,
        )
    console.print(table)


@bundle_app.command()
@handle_errors()
def promote(
    version: Annotated[str, typer.Argument(help="Version of the bundle.")],
    *,
    require_go: Annotated[
        bool,
        typer.Option("--require-go", help="Refuse a bundle whose readiness is NO-GO."),
    ] = False,
    bundles: BundlesFolder = BUNDLES,
) -> None:
    """Make a bundle live, once it has answered its golden query."""
    _say_live(Registry(bundles).promote(version, require_go=require_go))


@bundle_app.command()
@handle_errors()
def rollback(*, bundles: BundlesFolder = BUNDLES) -> None:
    """Make the bundle live that was live before."""
    version = Registry(bundles).rollback()
    console.print(f"{version} is live again; restart the service to serve it.")


def _say_live(bundle: Bundle) -> None:
    console.print(
        f"{bundle.manifest.version} is live (readiness {bundle.verdict}); a running "
        "service serves it after a restart.",
        soft_wrap=True,
    )
