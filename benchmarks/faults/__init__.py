"""Faults, made on purpose: `python -m benchmarks.faults`."""
