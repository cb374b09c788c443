"""The trade service: trade orders in, executions out, in bulk; nothing lost, nothing twice."""

__version__ = "0.1.0"
