"""Running HCP: the `hcp` command, and the stack that it starts on one machine.

Reads: command line, HCP_* variables, the pinned artifacts, the gateway's HTTP API.
Writes: a data directory, a cache directory of verified downloads, log files.
Owns: the child processes of `hcp up`.
Refuses: to touch a data directory of another layout, to run an artifact whose checksum differs,
and to decide anything about workloads: it starts those who do.
"""
