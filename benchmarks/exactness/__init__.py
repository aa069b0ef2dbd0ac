"""Do all exact kinds of index answer the same? `python -m benchmarks.exactness`."""
