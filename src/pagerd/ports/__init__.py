"""What Pager asks of the world, as small protocols."""
