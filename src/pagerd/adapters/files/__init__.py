"""Keys in files: the local key ring."""
