"""Pages for people over the same stages: the inbox of development."""
