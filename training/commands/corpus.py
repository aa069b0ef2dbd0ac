"""``corpus``: make a corpus from a sample, text or vectors; list them, show one."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from nextvec.training.commands.console import (
    AsJson,
    console,
    handle_errors,
    print_json,
    say_next,
)
from nextvec.training.commands.folders import CORPORA, DOWNLOADS
from nextvec.training.commands.options import CorpusFolder, Force, Name, Out
from nextvec.training.corpus.samples.sample_names import SAMPLE_NAMES
from nextvec.training.corpus.text.chunking import PASSAGE_WORDS
from nextvec.training.corpus.text.default_encoder import DEFAULT_ENCODER

EncoderName = Annotated[str, typer.Option("--encoder", help="What makes the vectors.")]
Words = Annotated[
    int, typer.Option(min=1, help="Length that a passage aims at, in words.")
]
MinCoherence = Annotated[
    float | None,
    typer.Option(
        min=-1.0,
        max=1.0,
        help="Leave out documents whose neighboring vectors have a mean cosine below "
        "this, from -1 to 1 (default: keep all).",
    ),
]


@handle_errors()
def sample(
    name: Annotated[
        str, typer.Argument(help=f"Which sample: {' or '.join(SAMPLE_NAMES)}.")
    ],
    *,
    out: Out = None,
    downloads: Annotated[
        Path, typer.Option(help="Folder where fetched archives are kept.")
    ] = DOWNLOADS,
    encoder: EncoderName = DEFAULT_ENCODER,
    words: Words = PASSAGE_WORDS,
    min_coherence: MinCoherence = None,
    split_seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Seed of the split that vectors of items are made for; of another "
            "than 0 the corpus is called <sample>-<seed>.",
        ),
    ] = 0,
    force: Force = False,
) -> None:
    """Make a sample corpus: pages of documentation, films rated, or folk tunes."""
    from nextvec.training.commands.corpus_folder import make_once
    from nextvec.training.corpus.samples.making import (
        corpus_name,
        make_sample_corpus,
        origin_of_sample,
    )

    out = out or CORPORA / corpus_name(name, split_seed)
    made_of: dict[str, Any] = {
        "encoder": encoder,
        "words": words,
        "min_coherence": min_coherence,
        "split_seed": split_seed,
    }
    make_once(
        out,
        partial(origin_of_sample, name, **made_of),
        partial(make_sample_corpus, name, out, downloads=downloads, **made_of),
        force=force,
    )


@handle_errors()
def text(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Folders of .txt, .md and .rst pages, or .jsonl files."),
    ],
    *,
    name: Name = None,
    out: Out = None,
    encoder: EncoderName = DEFAULT_ENCODER,
    words: Words = PASSAGE_WORDS,
    min_coherence: MinCoherence = None,
    force: Force = False,
) -> None:
    """Make a corpus from your own text: cut into passages, then encoded."""
    from nextvec.training.commands.corpus_folder import make_once
    from nextvec.training.corpus.text.making import make_text_corpus, text_origin

    name = name or paths[0].resolve().stem
    out = out or CORPORA / name
    made_of: dict[str, Any] = {
        "encoder": encoder,
        "words": words,
        "min_coherence": min_coherence,
    }
    make_once(
        out,
        partial(text_origin, paths, **made_of),
        partial(make_text_corpus, paths, out, name=name, **made_of),
        force=force,
    )


@handle_errors()
def vectors(
    files: Annotated[
        list[Path], typer.Argument(help=".npz or .npy files of vectors, of one length.")
    ],
    *,
    name: Name = None,
    out: Out = None,
    encoder: Annotated[
        str, typer.Option(help="Name of what made the vectors, for the card.")
    ] = "unknown",
    lengths: Annotated[
        Path | None,
        typer.Option(
            help="Document lengths of a single .npy, in vectors: .npy, .txt or .json "
            "(default: <name>.lengths.* beside it)."
        ),
    ] = None,
    windows_independent: Annotated[
        bool,
        typer.Option(
            "--windows-independent",
            help="Vouch that no two windows without chain_ids share a document; the "
            "card records it.",
        ),
    ] = False,
    min_coherence: MinCoherence = None,
    force: Force = False,
) -> None:
    """Make a corpus from your own vectors."""
    from nextvec.training.commands.corpus_folder import make_once
    from nextvec.training.corpus.vectors.making import make_vector_corpus, vector_origin

    name = name or files[0].resolve().stem
    out = out or CORPORA / name
    made_of: dict[str, Any] = {
        "encoder": encoder,
        "lengths": lengths,
        "windows_independent": windows_independent,
        "min_coherence": min_coherence,
    }
    make_once(
        out,
        partial(vector_origin, files, **made_of),
        partial(make_vector_corpus, files, out, name=name, **made_of),
        force=force,
    )


@handle_errors()
def show(
    folder: CorpusFolder,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a corpus holds and where it came from."""
    from nextvec.training.commands.corpus_folder import print_summary
    from nextvec.training.commands.names import corpus_folder
    from nextvec.training.corpus.store import load_corpus, read_card

    found = corpus_folder(folder, CORPORA)
    if as_json:
        print_json(read_card(found) | {"folder": str(found)})
        return
    print_summary(load_corpus(found), found)


@handle_errors()
def list_corpora(
    *,
    corpora: Annotated[
        Path, typer.Option(help="Folder that holds the corpora.")
    ] = CORPORA,
    as_json: AsJson = False,
) -> None:
    """List the corpora that were made."""
    from nextvec.training.corpus.store import CARD, read_card

    found = sorted(path.parent for path in corpora.glob(f"*/{CARD}"))
    # a dot begins the name of what is being written, or was when it was cut off
    folders = [folder for folder in found if not folder.name.startswith(".")]
    cards = [read_card(folder) | {"folder": str(folder)} for folder in folders]
    if as_json:
        print_json(cards)
        return
    for card in cards:
        console.print(f"[bold]{card['name']}[/]", soft_wrap=True, highlight=False)
        console.print(
            f"    {card['kind']}: {card['num_vectors']:,} vectors of {card['dim']} "
            f"numbers by {card['encoder']}, in {card['num_documents']:,} sequences",
            soft_wrap=True,
            highlight=False,
        )
    if not cards:
        console.print(f"No corpus in {corpora}.", soft_wrap=True)
        say_next("nextvec corpus --help")
