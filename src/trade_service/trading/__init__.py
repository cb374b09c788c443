"""Use cases: trade orders, executions, reference data."""
