"""How often items come again: whether the data allow repeats."""

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.vectors import CONTEXT_LENGTH, Int64


def repeat_share(
    corpus: Corpus, documents: Int64, *, context_length: int = CONTEXT_LENGTH
) -> float:
    """Return how often an entry occurs among the entries before it, a fraction.

    Args:
        corpus: whose sequences these are.
        documents: their numbers.
        context_length: how many entries before it are looked at.

    Returns:
        Of all entries with a vector but the first of each sequence; 0 if there are
        none.
    """
    repeated = total = 0
    long_ago = -context_length - 1
    for document in documents.tolist():
        rows = corpus.known(document)
        last_seen: dict[int, int] = {}
        for position, row in enumerate(rows.tolist()):
            repeated += position - last_seen.get(row, long_ago) <= context_length
            last_seen[row] = position
        total += max(0, len(rows) - 1)
    return repeated / max(1, total)
