"""Tests of routing: given/when/then for each behaviour, and random sequences under an oracle."""
