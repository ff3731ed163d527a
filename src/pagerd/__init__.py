"""Pager tells N people, each in their own words, over the channel that reaches them, and proves who was told."""

__version__ = "0.1.0"
