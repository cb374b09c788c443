"""Orders, executions, reference data and their rules. Pure: no clock, randomness, I/O or HTTP."""
