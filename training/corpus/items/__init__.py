"""Item sequences: sessions, ratings, purchases."""
