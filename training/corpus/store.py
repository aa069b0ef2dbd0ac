"""A corpus on disk: one folder, readable files, nothing that needs unpickling.

vectors.npy        float32 (N, D), unit rows; memory-mapped when loaded
offsets.npy        int64 (S + 1,)
rows.npy           int64 (M,); left out for documents, where it is 0..N-1
families.npy       int64 (S,), where sequences have families
ids.json           N names
document_ids.json  S names
texts.json         N texts, where there are any
card.json          format, kind, fingerprint, where it came from
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from nextvec.training.array_files import new_array, save_array
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.errors import CorpusError
from nextvec.training.files import read_json, read_versioned, write_json
from nextvec.training.folders import new_folder
from nextvec.training.vectors import Float32

FORMAT = 1

CARD: Final = "card.json"

_FAMILIES = "families.npy"


def save_corpus(corpus: Corpus, folder: Path) -> Corpus:
    """Write a corpus, whole or not at all, and return it as it is loaded again.

    Args:
        corpus: what to write; its vectors are written as they are (unit rows).
        folder: where; an older corpus of that name is replaced.
    """
    with new_folder(folder) as new:
        save_array(new / "vectors.npy", corpus.vectors)
        _save_rest(corpus, new)
    return load_corpus(folder)


def save_streamed(corpus: Corpus, blocks: Iterable[Float32], folder: Path) -> Corpus:
    """Write a corpus whose vectors come in blocks, never all in memory.

    Args:
        corpus: everything but the vectors; its own give only shape ``(N, D)``.
        blocks: unit rows in order, N altogether.
        folder: where to write.

    Raises:
        CorpusError: the blocks do not add up to N rows; nothing is written.
    """
    with new_folder(folder) as new:
        out = new_array(new / "vectors.npy", np.float32, corpus.vectors.shape)
        done = 0
        for block in blocks:
            room = len(out) - done
            out[done : done + len(block)] = block[: max(0, room)]
            done += len(block)
        out.flush()
        if done != len(out):
            msg = f"{corpus.card.name}: expected {len(out)} vectors, got {done}"
            raise CorpusError(msg)
        _save_rest(replace(corpus, vectors=out), new)
    return load_corpus(folder)


def _save_rest(corpus: Corpus, folder: Path) -> None:
    save_array(folder / "offsets.npy", corpus.offsets)
    if corpus.kind == "items":
        save_array(folder / "rows.npy", corpus.rows)
    if corpus.families is not None:
        save_array(folder / _FAMILIES, corpus.families)
    write_json(folder / "ids.json", list(corpus.ids))
    write_json(folder / "document_ids.json", list(corpus.document_ids))
    if corpus.texts is not None:
        write_json(folder / "texts.json", list(corpus.texts))
    about = {
        "format": FORMAT,
        "kind": corpus.kind,
        "num_vectors": len(corpus.vectors),
        "dim": corpus.dim,
        "num_documents": len(corpus.document_ids),
        "fingerprint": corpus.fingerprint,
    }
    if corpus.families is not None:
        about["num_families"] = len(np.unique(corpus.families))
    write_json(folder / CARD, about | asdict(corpus.card))


def load_corpus(folder: Path) -> Corpus:
    """Load a corpus; its vectors stay on disk until they are used.

    Raises:
        CorpusError: missing, unreadable, of another format, or parts that do not fit.
    """
    card = read_card(folder)
    try:
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        offsets = np.load(folder / "offsets.npy", allow_pickle=False)
        rows = (
            np.load(folder / "rows.npy", allow_pickle=False)
            if card["kind"] == "items"
            else np.arange(len(vectors))
        )
        # named in the card: without the file, variants would come apart in silence
        families = (
            np.load(folder / _FAMILIES, allow_pickle=False)
            if "num_families" in card
            else None
        )
        texts = folder / "texts.json"
        corpus = Corpus(
            vectors=vectors,
            ids=read_json(folder / "ids.json"),
            rows=rows,
            offsets=offsets,
            document_ids=read_json(folder / "document_ids.json"),
            card=CorpusCard(
                name=card["name"],
                encoder=card["encoder"],
                encoder_version=card.get("encoder_version"),
                encoder_checksum=card.get("encoder_checksum"),
                source=card["source"],
                licenses=card["licenses"],
                windows_declared_independent=card["windows_declared_independent"],
                vectors_split=card.get("vectors_split"),
                origin=card.get("origin"),
                recipe=card.get("recipe"),
                notes=card["notes"],
            ),
            kind=card["kind"],
            texts=read_json(texts) if texts.exists() else None,
            families=families,
        )
        # The digest of a large file takes long; it was computed when it was written.
        corpus.__dict__["fingerprint"] = card["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        msg = f"{folder}: the corpus is damaged: {error}"
        raise CorpusError(msg) from error
    return corpus


def corpus_name(folder: Path) -> str | None:
    """Return the name of the corpus in a folder, None if nothing is there.

    Raises:
        CorpusError: something else is there, or a corpus that cannot be read.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    if folder.is_dir() and not (folder / CARD).exists():
        msg = f"{folder}: expected a corpus or no such folder, found other files in it"
        raise CorpusError(msg)
    return str(read_card(folder)["name"])


def read_card(folder: Path) -> dict[str, Any]:
    """Read only the card of a corpus.

    Raises:
        CorpusError: there is none, or it is of another format.
    """
    return read_versioned(
        folder / CARD, what="corpus", version=FORMAT, error=CorpusError
    )
