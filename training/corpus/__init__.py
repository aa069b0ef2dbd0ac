"""Where sequences of vectors come from, and how they are cut without a leak."""
