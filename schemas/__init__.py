"""The contract: every event, its envelope and its bytes.

Owns the `.avsc` files (the one definition of an event), the dataclasses generated from them, the
topics they travel on, the codec, and the rules by which every reader admits a record, tells a
repeat and writes a dead letter. Reads and writes nothing but the schema registry and, when it
provisions them, the topics. Refuses a schema that an older or newer reader could not read.
"""
