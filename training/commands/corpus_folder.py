"""The folder of a corpus: where it goes, whether it is there, and what it holds."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from nextvec.training.commands.console import console, progress_bars, say_next
from nextvec.training.commands.narrow import print_table
from nextvec.training.corpus.building import LONG_DOCUMENT
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.items.sequences import LONG_SEQUENCE
from nextvec.training.corpus.origin import Origin
from nextvec.training.corpus.store import corpus_name, read_card
from nextvec.training.errors import CorpusError


def is_made(out: Path, wanted: Callable[[], Origin], *, force: bool) -> bool:
    """Say so if the corpus is there, made of the same.

    Args:
        out: folder of the corpus.
        wanted: tells what is to be made; called only where a corpus lies.
        force: make it again, whatever it was made of.

    Raises:
        CorpusError: what is there is no corpus, or one that was made of something else.
    """
    name = corpus_name(out)
    if name is None or force:
        return False
    recorded = read_card(out).get("origin")
    differences = [] if recorded is None else wanted().differences(recorded)
    if differences:
        msg = (
            f"{out}: corpus {name} is there, and {'; '.join(differences)}. Expected "
            "the same again, or another --name or --out; --force replaces it"
        )
        raise CorpusError(msg)
    unsure = "" if recorded else ", from before its source was recorded"
    console.print(
        f"{out} is already there (corpus {name}{unsure}); --force makes it again.",
        markup=False,
        soft_wrap=True,
    )
    return True


def make_once(
    out: Path, wanted: Callable[[], Origin], make: Callable[..., Corpus], *, force: bool
) -> None:
    """Make a corpus unless it is there, and say what it holds and what it is for.

    Args:
        out: folder of the corpus.
        wanted: tells what is to be made, as in `is_made`.
        make: makes it, and takes ``progress``.
        force: make it again, whatever is there.
    """
    if is_made(out, wanted, force=force):
        return
    with progress_bars() as progress:
        corpus = make(progress=progress)
    print_summary(corpus, out)
    where = shlex.quote(str(out))
    say_next(f"nextvec up --corpus {where}", f"nextvec train {where}")


def print_summary(corpus: Corpus, folder: Path) -> None:
    """Print what a corpus holds, where it came from, and what was left out."""
    card = corpus.card
    facts = {
        "source": card.source,
        "encoder": f"{card.encoder}, {corpus.dim} numbers in a vector",
        **_sequence_facts(corpus),
        "vectors": f"{len(corpus.vectors):,}",
    }
    if corpus.texts is not None:
        facts |= _text_facts(corpus.texts, is_items=corpus.kind == "items")
    if card.windows_declared_independent:
        facts["windows"] = "declared independent by the user"
    if card.vectors_split is not None:
        facts["vectors from"] = (
            f"the training sequences of the split {_shown(card.vectors_split)}"
        )
    notes = {key.replace("_", " "): _shown(card.notes[key]) for key in card.notes}
    # a fact that is a note as well says it better
    facts |= {what: value for what, value in notes.items() if what not in facts}
    facts |= {f"license of {part}": name for part, name in card.licenses.items()}
    table = Table("what", "value", title=f"corpus {card.name}", show_header=False)
    table.columns[1].overflow = "fold"
    for what, value in facts.items():
        table.add_row(what, escape(value))
    print_table(table)
    # outside: a path or a digest in a narrow column would be broken
    for line in (f"folder: {folder}", f"fingerprint: {corpus.fingerprint}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _sequence_facts(corpus: Corpus) -> dict[str, str]:
    is_items = corpus.kind == "items"
    what, least = (
        ("sequences", LONG_SEQUENCE) if is_items else ("documents", LONG_DOCUMENT)
    )
    lengths = corpus.lengths
    facts = {
        what: f"{len(lengths):,}, of {np.median(lengths):.0f} entries (median)",
        f"long {what}": f"{(lengths >= least).sum():,} of at least {least} entries",
    }
    if corpus.families is not None:
        num_families = len(np.unique(corpus.families))
        facts["families"] = f"{num_families:,}, each in one part of a split"
    return facts


def _text_facts(texts: Sequence[str], *, is_items: bool) -> dict[str, str]:
    if is_items:
        return {"texts": f"of {sum(map(bool, texts)):,} items"}
    words = np.mean([len(passage.split()) for passage in texts])
    return {"passages": f"{words:.1f} words (mean)"}


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
