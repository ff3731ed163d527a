"""Who may ask: principals, API keys, permissions."""
