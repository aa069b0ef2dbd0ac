"""Predict the next embedding vector, and find the real things nearest to it."""
