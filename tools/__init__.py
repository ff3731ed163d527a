"""Programs for those who work on pagerd; none of them is installed with it."""
