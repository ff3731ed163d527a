"""How secrets sleep: envelope, key hierarchy, blind index."""
