"""Further benchmarks, run from a checkout: `make bench`."""
