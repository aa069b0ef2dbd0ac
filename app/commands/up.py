"""``up``: everything from a fresh machine to a service that answers."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nextvec.app.commands.options import Host, Port
from nextvec.app.server.listening import take_address
from nextvec.app.settings import read_settings
from nextvec.training.commands.console import console, handle_errors, say_next
from nextvec.training.commands.folders import ROOT
from nextvec.training.commands.options import CorpusOption, Recipe
from nextvec.training.corpus.samples.sample_names import DEFAULT_SAMPLE, SAMPLE_NAMES

_TRY_NEXT = (
    "nextvec corpus text FOLDER --name mine      # your own pages",
    "nextvec corpus items FILE.csv --name mine   # your own sessions, events, ratings",
    "nextvec corpus vectors FILE.npz --name mine # your own vectors",
    "nextvec up --corpus artifacts/corpora/mine  # and then this",
    "nextvec up --sample docs                    # or our sample of text",
)


def _after(corpus: str) -> tuple[str, ...]:
    """Say what comes after a corpus of one's own, in this folder."""
    folder = shlex.quote(corpus)
    return (
        f"nextvec train {folder} --architecture hierarchical  # another network",
        f"nextvec study {folder}  # all of them, in one report",
    )


@handle_errors()
def up(
    corpus: Annotated[
        Path | None,
        typer.Argument(
            help="Folder or name of a corpus of your own (default: a sample)."
        ),
    ] = None,
    *,
    corpus_option: CorpusOption = None,
    sample: Annotated[
        str,
        typer.Option(
            help=f"Sample to make where no corpus is given: {', '.join(SAMPLE_NAMES)}."
        ),
    ] = DEFAULT_SAMPLE,
    recipe: Recipe = None,
    architecture: Annotated[
        list[str] | None,
        typer.Option(
            help="What to train: memory, baseline or hierarchical; named several "
            "times, the best one is served (default: memory)."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help=f"Folder of everything that is made, the bundles in its bundles/ "
            f"(default: {ROOT}, but the bundles go where NEXTVEC_BUNDLES says)."
        ),
    ] = None,
    host: Host = None,
    port: Port = None,
    serve: Annotated[
        bool, typer.Option(help="Serve in the end, or stop when all is made.")
    ] = True,
) -> None:
    """Make corpus, checkpoint and bundle, whatever of it is missing, and serve."""
    from nextvec.training.commands.names import one_corpus

    # a wrong setting must not show only after the training
    settings = read_settings(
        bundles=None if root is None else root / "bundles", host=host, port=port
    )
    if serve:
        # nor a port in use; it is taken once there is something to serve
        for listener in take_address(settings):
            listener.close()
    own = one_corpus(corpus, corpus_option, (root or ROOT) / "corpora")

    # after that: torch takes seconds, and a wrong word is told at once
    from nextvec.app.access.key_ring import KeyRing
    from nextvec.app.commands.pipeline import curl_line, make_live
    from nextvec.app.commands.server import run_service
    from nextvec.training.commands.run_summary import say_plainly

    if serve:
        # nor must keys that cannot be used show only then
        KeyRing(settings.keys_file, is_required=settings.keys is not None)
    live = make_live(
        root or ROOT,
        settings.bundles,
        corpus=own,
        sample_name=sample,
        recipe=recipe,
        architectures=architecture or ("memory",),
    )
    say_plainly(live.card, live.run)
    if not serve:
        say_next(f"nextvec serve --bundles {shlex.quote(str(settings.bundles))}")
        return
    say_next(
        *(_TRY_NEXT if own is None else _after(str(live.card["corpus"]["folder"])))
    )
    console.print(f"\nServing on {settings.url}")
    console.print("Ask it, from another terminal:\n")
    console.print(curl_line(live, settings), soft_wrap=True, highlight=False)
    console.print()
    run_service(settings, take_address(settings))
