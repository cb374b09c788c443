"""Lists of trade orders and executions: what may be asked, how pages and totals are made."""
