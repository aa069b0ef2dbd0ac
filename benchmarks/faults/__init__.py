"""What hostile operators and networks do: ``python -m benchmarks.faults``."""
