"""What the parts can do, each beside a peer or a limit measured in the same run.

`make bench` runs `python -m tests.benchmarks [name ...]`, prints a table and writes `bench.json`.
Nothing here is a test: a slow machine fails no build. Services come as for the tests: from
HCP_KAFKA, HCP_SCHEMA_REGISTRY and HCP_DATABASE, or embedded ones started for the run.
"""
