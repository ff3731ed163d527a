"""A claimed batch becomes outcomes: prepare, intent, send, record, settle."""
