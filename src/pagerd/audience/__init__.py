"""Who hears it: readers, addresses, variables, duplicates."""
