"""Answers: engine, neighbors, and the one thread that computes them."""
