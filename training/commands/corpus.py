"""``corpus``: make a corpus from a sample, text, vectors or item sequences."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.console import handle_errors, progress_bars
from training.commands.corpus_folder import (
    CORPORA,
    Force,
    Name,
    Out,
    is_made,
    print_summary,
)
from training.commands.item_corpus import items, make_item_sample
from training.corpus.building import (
    build_corpus,
    parts_from_documents,
    scratch_folder,
)
from training.corpus.corpus import CorpusCard
from training.corpus.samples.movielens import ItemSample
from training.corpus.samples.samples import (
    SAMPLES,
    get_sample,
    read_sample,
    sample_card,
)
from training.corpus.store import load_corpus
from training.corpus.text.chunking import PASSAGE_WORDS
from training.corpus.text.encoders import DEFAULT_ENCODER, Encoder, get_encoder
from training.corpus.text.text import Document, read_documents
from training.corpus.vectors.importing import read_vectors
from training.errors import CorpusError

DOWNLOADS = Path("artifacts/downloads")
"""Folder of fetched archives, unless --downloads says another."""

corpus_app = typer.Typer(
    no_args_is_help=True,
    help="Make a corpus from a sample, your text, your vectors or your item "
    "sequences, and look at it.",
)
corpus_app.command()(handle_errors()(items))

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


@corpus_app.command()
@handle_errors()
def sample(
    name: Annotated[
        str, typer.Argument(help=f"Which sample: {' or '.join(sorted(SAMPLES))}.")
    ],
    *,
    out: Out = None,
    downloads: Annotated[
        Path, typer.Option(help="Folder where fetched archives are kept.")
    ] = DOWNLOADS,
    encoder: EncoderName = DEFAULT_ENCODER,
    words: Words = PASSAGE_WORDS,
    min_coherence: MinCoherence = None,
    force: Force = False,
) -> None:
    """Make a sample corpus: documentation of well-known packages, or films rated."""
    found = get_sample(name)
    out = out or CORPORA / name
    if isinstance(found, ItemSample):
        told = (encoder, words, min_coherence)
        if told != (DEFAULT_ENCODER, PASSAGE_WORDS, None):
            msg = (
                f"{name} holds no text to encode: expected none of --encoder, --words "
                "and --min-coherence"
            )
            raise CorpusError(msg)
    if is_made(out, force=force):
        return
    if isinstance(found, ItemSample):
        make_item_sample(name, found, out, downloads)
        return
    card = sample_card(name, found, encoder)
    # an encoder that is not there must not show only after the download
    loaded = get_encoder(encoder)
    with progress_bars() as progress:
        documents = read_sample(found, downloads, progress=progress)
    _from_text(documents, loaded, card, out, words=words, min_coherence=min_coherence)


@corpus_app.command()
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
    name = name or paths[0].resolve().stem
    out = out or CORPORA / name
    if is_made(out, force=force):
        return
    source = ", ".join(map(str, paths))
    card = CorpusCard(name=name, encoder=encoder, source=source)
    loaded = get_encoder(encoder)
    documents = read_documents(paths)
    _from_text(documents, loaded, card, out, words=words, min_coherence=min_coherence)


@corpus_app.command()
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
    name = name or files[0].resolve().stem
    out = out or CORPORA / name
    if is_made(out, force=force):
        return
    with scratch_folder(out, "arrays") as scratch, progress_bars() as progress:
        imported = read_vectors(
            files,
            scratch,
            lengths=lengths,
            windows_independent=windows_independent,
            progress=progress,
        )
        card = CorpusCard(
            name=name,
            encoder=encoder,
            source=imported.parts.name,
            windows_declared_independent=imported.windows_declared_independent,
        )
        corpus = build_corpus(
            imported.parts, card, out, min_coherence=min_coherence, progress=progress
        )
    print_summary(corpus, out)


@corpus_app.command()
@handle_errors()
def show(
    folder: Annotated[Path, typer.Argument(help="Folder of a corpus.")],
) -> None:
    """Show what a corpus holds and where it came from."""
    print_summary(load_corpus(folder), folder)


def _from_text(
    documents: list[Document],
    encoder: Encoder,
    card: CorpusCard,
    out: Path,
    *,
    words: int,
    min_coherence: float | None,
) -> None:
    with progress_bars() as progress:
        parts = parts_from_documents(
            documents,
            encoder,
            source=card.name,
            words=words,
            progress=progress,
        )
        corpus = build_corpus(
            parts, card, out, min_coherence=min_coherence, progress=progress
        )
    print_summary(corpus, out)
