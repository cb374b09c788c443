"""A simulated Execution Service: same contract, seeded faults, and a ledger of what it accepted how often."""
