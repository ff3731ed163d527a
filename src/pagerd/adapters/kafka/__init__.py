"""A queue in Apache Kafka."""
