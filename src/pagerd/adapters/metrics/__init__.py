"""What machines watch: Prometheus metrics and structured logs."""
