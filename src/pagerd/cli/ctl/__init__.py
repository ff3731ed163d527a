"""The subcommands of pagerctl, one file each, and what they share."""
