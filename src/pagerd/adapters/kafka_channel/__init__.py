"""Notifications as records on a customer's own Kafka topic."""
