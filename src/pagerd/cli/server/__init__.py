"""What the command pagerd is made of."""
