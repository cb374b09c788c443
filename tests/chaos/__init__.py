"""Chaos with real processes: three replicas, one PostgreSQL, one stand-in Execution Service, all of them
killed, paused, restarted and cut off at random moments; then both ledgers must agree."""
