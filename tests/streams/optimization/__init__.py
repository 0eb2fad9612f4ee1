"""Advice: the arithmetic against an independent solver, and when it is given."""
