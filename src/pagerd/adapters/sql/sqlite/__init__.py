"""SQLite: connections, the one writer with its group commit, the lock on the data directory."""
