"""What happens when things go wrong: kills and overload, by script."""
