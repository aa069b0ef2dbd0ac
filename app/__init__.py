"""The service: everything that is about requests."""
