"""Text: read, cut into passages, encoded."""
