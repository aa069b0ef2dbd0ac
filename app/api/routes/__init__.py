"""The routes: decode, hand over, await, encode; nothing is computed here."""
