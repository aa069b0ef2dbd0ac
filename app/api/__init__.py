"""The HTTP face: the app, what is around each request, and the routes."""
