"""Who asks: API keys and tokens, checked against what a table, a file or an address says."""
