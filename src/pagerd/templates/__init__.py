"""Draft, check, publish, versions, and the cache of compiled ones."""
