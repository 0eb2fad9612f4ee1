"""Events as dataclasses, made from `schemas/avro` by `python -m schemas generate`."""
