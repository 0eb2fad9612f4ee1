"""Read models: what happened on the logs, as tables to query.

Reads every log; writes PostgreSQL, and the dead letter topics for records it cannot decode.
Owns the tables and views of `migrations/`, and what it has applied of each log.
Refuses to decide: no number that an agent computed is computed again here.
"""
