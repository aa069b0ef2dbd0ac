"""Samples: collections that are fetched, never shipped."""
