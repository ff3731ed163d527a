"""This machine: its clocks, its randomness, its signals, the lock on the data directory."""
