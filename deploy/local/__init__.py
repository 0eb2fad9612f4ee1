"""The embedded stack: Kafka, PostgreSQL, the schema registry and our services as child processes.

Reads: artifacts.json (what to download, with checksums), the data directory's stamp.
Writes: configuration, logs and state below the data directory; everything listens on 127.0.0.1.
Owns: the processes it starts, and nothing that it did not.
Refuses: to start what cannot start safely (no disk, a port taken, another version's data).
"""
