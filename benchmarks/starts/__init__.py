"""Makes the weights that networks of documents start from."""
