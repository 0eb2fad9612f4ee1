"""Tests of the gateway: the pure parts alone, the routes on a real log and real read models."""
