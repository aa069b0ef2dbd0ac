"""A corpus from vectors that were brought: read, checked, saved."""

from collections.abc import Sequence
from pathlib import Path

from nextvec.training.corpus.building import build_corpus, scratch_folder
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.origin import Origin, checksum_of_files
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.vectors.importing import lengths_beside, read_vectors


def vector_origin(
    files: Sequence[Path],
    *,
    encoder: str = "unknown",
    lengths: Path | None = None,
    windows_independent: bool = False,
    min_coherence: float | None = None,
) -> Origin:
    """Tell what `make_vector_corpus` makes a corpus of.

    Raises:
        CorpusError: a file that cannot be read.
    """
    given = [lengths] if lengths is not None else map(lengths_beside, files)
    read = [*files, *(path for path in given if path is not None)]
    return Origin(
        kind="vectors",
        checksum=checksum_of_files(read, [path.name for path in read]),
        options={
            "encoder": encoder,
            "windows_independent": windows_independent,
            "min_coherence": min_coherence,
        },
    )


def make_vector_corpus(
    files: Sequence[Path],
    folder: Path,
    *,
    name: str,
    encoder: str = "unknown",
    lengths: Path | None = None,
    windows_independent: bool = False,
    min_coherence: float | None = None,
    progress: Progress = ignore_progress,
) -> Corpus:
    """Make a corpus from files of vectors.

    Args:
        files: as `read_vectors` takes them.
        folder: where the corpus goes; an older one is replaced.
        name: what people call it.
        encoder: name of what made the vectors, for the card.
        lengths: document lengths of a single .npy, as in `read_vectors`.
        windows_independent: as in `read_vectors`; the card records it.
        min_coherence: as in `build_corpus`.
        progress: told after each block.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: files that are unreadable or do not go together, or no document
            of 101 entries; nothing is written.
        VectorError: vectors that are unusable; names file, row and expectation.
    """
    with scratch_folder(folder, "arrays") as scratch:
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
            origin=vector_origin(
                files,
                encoder=encoder,
                lengths=lengths,
                windows_independent=windows_independent,
                min_coherence=min_coherence,
            ).to_dict(),
        )
        return build_corpus(
            imported.parts,
            card,
            folder,
            min_coherence=min_coherence,
            progress=progress,
        )
