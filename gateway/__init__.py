"""The HTTP gateway on port 8080.

Reads: the read models in PostgreSQL (tables of projections/migrations), through queries.py and
report_queries.py; consumer-group lag and cluster metadata for health.
Writes: producer events to the site logs and the intake log, each acknowledged before the answer.
Owns: the table of stored answers behind `Idempotency-Key` (gateway/migrations).
Refuses: to decide anything that an agent decides, to read a log for a page, and, until it knows
who is asking, to listen on anything but the loopback interface.
"""
