"""``bundle``: make bundles, and choose which one is live."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.bundle.bundle import Bundle
from app.bundle.index import INDEX_KINDS
from app.bundle.manifest import Manifest
from app.commands.options import BundlesFolder
from app.release.building import build_bundle
from app.release.registry import Registry
from app.settings import read_settings
from training.commands.console import console, handle_errors

bundle_app = typer.Typer(
    no_args_is_help=True, help="Make bundles, and choose which one is live."
)


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
    bundles: BundlesFolder = None,
    plain_cosine: Annotated[
        bool,
        typer.Option(
            "--plain-cosine",
            help="Rank by cosine alone, whatever validation chose.",
        ),
    ] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Also make it live.")
    ] = False,
) -> None:
    """Put a run's model, its index and its validation together as one version."""
    registry = _registry(bundles)
    built = build_bundle(
        run,
        registry.folder,
        corpus=corpus,
        index_kind=index,
        plain_cosine=plain_cosine,
        say=lambda stage: console.print(f"· {stage}", soft_wrap=True),
    )
    if promote:
        registry.make_live(built)
        _say_live(built)


@bundle_app.command("list")
@handle_errors()
def list_bundles(*, bundles: BundlesFolder = None) -> None:
    """List the bundles; the live one is marked."""
    registry = _registry(bundles)
    pointer = registry.pointer()
    table = Table(title=f"Bundles in {registry.folder}")
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
    bundles: BundlesFolder = None,
) -> None:
    """Make a bundle live, once it has answered its golden query."""
    _say_live(_registry(bundles).promote(version, require_go=require_go))


@bundle_app.command()
@handle_errors()
def rollback(*, bundles: BundlesFolder = None) -> None:
    """Make the bundle live that was live before."""
    version = _registry(bundles).rollback()
    console.print(f"{version} is live again; restart the service to serve it.")


def _registry(bundles: Path | None) -> Registry:
    """Return the bundles that were told, or else those of the settings."""
    return Registry(read_settings(bundles=bundles).bundles)


def _say_live(bundle: Bundle) -> None:
    console.print(
        f"{bundle.manifest.version} is live (readiness {bundle.verdict}); a running "
        "service serves it after a restart.",
        soft_wrap=True,
    )
