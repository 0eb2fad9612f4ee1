"""One module for each resource: its models, its handlers, its endpoints.

Reads the read models through queries, writes through commands; `table.py` lists every endpoint.
"""
