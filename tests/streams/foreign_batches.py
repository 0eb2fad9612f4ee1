"""Batches of records as other clients write them: names of headers that are no UTF-8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

Headers = Sequence[tuple[str, bytes | None]]


class RawName(str):
    """Goes out as Latin-1."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "strict") -> bytes:
        del encoding
        return super().encode("latin-1", errors)


def builder() -> Any:  # noqa: ANN401 - the client's builder, which takes such names
    return _DefaultRecordBatchBuilderPy(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )


def batch(first: int, *headers: Headers) -> bytes:
    """One record for each list of headers."""
    made = builder()
    for at, of_record in enumerate(headers):
        made.append(at, timestamp=1, key=b"k", value=b"v", headers=list(of_record))
    data = bytearray(made.build())
    data[:8] = first.to_bytes(8, "big")  # not part of the checksum
    return bytes(data)
