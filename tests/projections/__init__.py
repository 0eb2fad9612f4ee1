"""Tests of the read models: as values, on PostgreSQL, and on Kafka and PostgreSQL."""
