"""Vectors that users bring."""
