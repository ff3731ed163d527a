"""Which provider, and may it send now: provider records, credentials, health, breaker, pace."""
