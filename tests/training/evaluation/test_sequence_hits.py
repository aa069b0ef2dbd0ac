import numpy as np

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.sequence_hits import sequence_hits
from nextvec.training.evaluation.suite import Suite


def test_hits_are_added_up_for_each_sequence_that_has_windows() -> None:
    windows = Windows(
        context_rows=np.zeros((4, 1), dtype=np.int64),
        lengths=np.ones(4, dtype=np.int64),
        target_rows=np.zeros(4, dtype=np.int64),
        documents=np.array([3, 1, 3, 3]),
        positions=np.arange(4),
    )
    suite = Suite(
        part="validation",
        stride=1,
        windows=windows,
        num_leaked=0,
        pools=(Pool(name="index", rows=np.arange(9)),),
        kind="items",
    )

    # the headline of items is Hit@10
    found = sequence_hits(
        suite,
        {"index": np.array([1, 11, 10, 12])},
        {"index": ("popularity", np.array([99, 2, 3, 99]))},
        ["a", "b", "c", "d"],
    )

    assert found == {
        "ids": ["b", "d"],
        "windows": [1, 3],
        "pools": {"index": {"hits": [0, 2], "baseline_hits": [1, 1]}},
    }
