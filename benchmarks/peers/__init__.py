"""Published sequential recommenders on this project's item sequences and ranking."""
