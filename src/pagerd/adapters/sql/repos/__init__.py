"""The control plane over SQLAlchemy Core: one file a subject, the same for every dialect."""
