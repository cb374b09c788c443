"""Version 1 of the API, at /api/v1."""
