"""What Pager costs, measured from outside: `make bench`."""
