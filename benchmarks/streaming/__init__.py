"""What a session that is longer than a context is answered with."""
