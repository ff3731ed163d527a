"""The world, one folder each."""
