"""The same prediction behind other servers, each in an environment of its own."""
