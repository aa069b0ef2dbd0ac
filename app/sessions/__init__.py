"""Sessions: what came so far is kept, so that a new vector costs one step."""
