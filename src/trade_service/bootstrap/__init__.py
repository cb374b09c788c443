"""The only wiring: settings in, a running service out."""
