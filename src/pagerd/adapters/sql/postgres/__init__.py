"""PostgreSQL: the same tables and promises for several processes on several machines."""
