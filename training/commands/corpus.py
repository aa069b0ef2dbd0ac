"""``corpus``: make a corpus from a sample, text or vectors, and look at it."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from training.commands.console import console, handle_errors, progress_bars
from training.corpus.building import (
    LONG_DOCUMENT,
    build_corpus,
    parts_from_documents,
    scratch_folder,
)
from training.corpus.chunking import PASSAGE_WORDS
from training.corpus.corpus import Corpus, CorpusCard
from training.corpus.encoders import DEFAULT_ENCODER, get_encoder
from training.corpus.importing import read_vectors
from training.corpus.samples import SAMPLES, get_sample, read_sample, sample_card
from training.corpus.store import load_corpus, read_card
from training.corpus.text import Document, read_documents
from training.errors import CorpusError

CORPORA = Path("artifacts/corpora")
"""Folder of the corpora, unless --out says another."""

DOWNLOADS = Path("artifacts/downloads")
"""Folder of fetched archives, unless --downloads says another."""

corpus_app = typer.Typer(
    no_args_is_help=True,
    help="Make a corpus from a sample, your text or your vectors, and look at it.",
)

Out = Annotated[
    Path | None,
    typer.Option(help=f"Folder of the corpus (default: {CORPORA}/<name>)."),
]
Name = Annotated[
    str | None,
    typer.Option(help="Name of the corpus (default: that of the first path)."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Make the corpus again if it is there already.")
]
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
    """Make a sample corpus from the documentation of well-known packages."""
    found = get_sample(name)
    out = out or CORPORA / name
    if _is_made(out, force=force):
        return
    card = sample_card(name, found, encoder)
    with progress_bars() as progress:
        documents = read_sample(found, downloads, progress=progress)
    _from_text(documents, card, out, words=words, min_coherence=min_coherence)


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
    if _is_made(out, force=force):
        return
    source = ", ".join(map(str, paths))
    card = CorpusCard(name=name, encoder=encoder, source=source)
    documents = read_documents(paths)
    _from_text(documents, card, out, words=words, min_coherence=min_coherence)


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
    if _is_made(out, force=force):
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
    _print_summary(corpus, out)


@corpus_app.command()
@handle_errors()
def show(
    folder: Annotated[Path, typer.Argument(help="Folder of a corpus.")],
) -> None:
    """Show what a corpus holds and where it came from."""
    _print_summary(load_corpus(folder), folder)


def _from_text(
    documents: list[Document],
    card: CorpusCard,
    out: Path,
    *,
    words: int,
    min_coherence: float | None,
) -> None:
    with progress_bars() as progress:
        parts = parts_from_documents(
            documents,
            get_encoder(card.encoder),
            source=card.name,
            words=words,
            progress=progress,
        )
        corpus = build_corpus(
            parts, card, out, min_coherence=min_coherence, progress=progress
        )
    _print_summary(corpus, out)


def _is_made(out: Path, *, force: bool) -> bool:
    """Say so if the corpus is there; refuse to replace what is no corpus."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if out.is_dir() and not (out / "card.json").exists():
        msg = f"{out}: expected a corpus or no such folder, found other files in it"
        raise CorpusError(msg)
    name = read_card(out)["name"]
    if force:
        return False
    console.print(
        f"{out} is already there (corpus {name}); --force makes it again.",
        markup=False,
        soft_wrap=True,
    )
    return True


def _print_summary(corpus: Corpus, folder: Path) -> None:
    card, lengths = corpus.card, corpus.lengths
    facts = {
        "folder": str(folder),
        "source": card.source,
        "encoder": f"{card.encoder}, {corpus.dim} numbers in a vector",
        "documents": f"{len(lengths):,}, of {np.median(lengths):.0f} entries (median)",
        "long documents": f"{(lengths >= LONG_DOCUMENT).sum():,} of at least "
        f"{LONG_DOCUMENT} entries",
        "vectors": f"{len(corpus.vectors):,}",
    }
    if corpus.texts is not None:
        words = np.mean([len(passage.split()) for passage in corpus.texts])
        facts["passages"] = f"{words:.1f} words (mean)"
    if card.windows_declared_independent:
        facts["windows"] = "declared independent by the user"
    facts |= {key.replace("_", " "): _shown(card.notes[key]) for key in card.notes}
    facts |= {f"license of {part}": name for part, name in card.licenses.items()}
    facts["fingerprint"] = corpus.fingerprint
    table = Table("what", "value", title=f"corpus {card.name}", show_header=False)
    table.columns[1].overflow = "fold"
    for what, value in facts.items():
        table.add_row(what, escape(value))
    console.print(table)


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
