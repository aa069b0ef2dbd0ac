"""One version of model, index, names and validation."""
