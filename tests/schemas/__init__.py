"""The contract: codec, envelope, registry, releases."""
