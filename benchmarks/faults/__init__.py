"""Faults, made on purpose: `python -m benchmarks.faults.bodies` and `.overload`."""
