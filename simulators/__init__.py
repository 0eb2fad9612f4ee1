"""The outside world of a scenario: clock, markets, customers and hardware, seeded and resumable.

Reads the site log (what routing decided, and what it published itself before a restart), the
intake log, scenario files and the real data in `data/`. Writes producers' events only:
`TimePassed`, prices, submissions, and what the hardware reports. Owns event time: up to the
scenario's speed until it ends, then at the wall's pace, with the last prices held, for as long as
the process runs. Refuses to import `streams` (it must not be its own oracle) and never writes an
event that belongs to an agent.
"""
