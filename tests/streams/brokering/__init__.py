"""Brokering: which site a submission goes to."""
