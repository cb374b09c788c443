"""Settings: one frozen tree, read from defaults < TOML file < environment < command line."""
