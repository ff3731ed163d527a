"""Template and person become a message: pure, no I/O, no clock, no chance."""
