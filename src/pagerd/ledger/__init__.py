"""What happened: outcomes, attempts, counters, the verdict."""
