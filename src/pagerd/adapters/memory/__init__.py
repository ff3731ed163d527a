"""Doubles of the ports that live in memory and keep the wire honest."""
