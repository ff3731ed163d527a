"""Redis: a cache that processes share, hints between them, and one pace for all."""
