"""An Execution Service simulator: the same contract, seeded faults, and a ledger of every acceptance."""
