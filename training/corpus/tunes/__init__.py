"""Tunes in ABC notation: read, and variants of one another found."""
