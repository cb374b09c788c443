"""Event listeners for logs, metrics and traces."""
