"""Listeners on what happens: logs now, metrics and traces beside them."""
