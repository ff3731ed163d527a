"""The only place where a stage meets an adapter: settings become a running house."""
