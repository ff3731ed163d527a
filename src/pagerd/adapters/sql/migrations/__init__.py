"""The way from an empty database to the tables, one file a step."""
