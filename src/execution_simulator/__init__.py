"""A stand-in Execution Service: its contract, seeded faults, and books of what was accepted how often."""
