"""Real servers on loopback, for development and tests: each in a folder of its own, found again by its pid there.

Standard library only: this runs before anything is installed.
"""
