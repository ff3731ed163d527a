"""The store and the ledger in SQL: one set of tables, one dialect file each."""
