"""Vectors, models and truth: everything that is not about requests."""
