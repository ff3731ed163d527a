"""The commands pagerd (server) and pagerctl (client)."""
