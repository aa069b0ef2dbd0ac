"""Who may ask for what, and how much: keys, and rates."""
