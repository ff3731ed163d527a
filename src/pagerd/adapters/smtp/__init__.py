"""E-mail over SMTP: the pipelined client and the provider made of it."""
