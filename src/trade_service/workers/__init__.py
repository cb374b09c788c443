"""`serve --workers`: several processes that serve one address, and the supervisor that keeps them running."""
