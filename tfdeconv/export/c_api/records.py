"""Files of records as TensorFlow writes them (TFRecord), and the one that warms up a server."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from .messages import PredictRequest, decode_prediction_log

# Where tensorflow_model_server looks for it in the folder of a version, and the most it takes.
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed


def read_warmup(folder: str | os.PathLike[str]) -> list[PredictRequest]:
    """Reads the requests with which a server warms up the version in `folder`; none without a file.

    Raises:
        ValueError: when the file is damaged or holds something else.
    """
    path = Path(folder) / WARMUP_FILE
    if not path.is_file():
        return []
    requests: list[PredictRequest] = []
    for record in read_records(path):
        if len(requests) == MOST_RECORDS:
            raise ValueError(f"`{path}` must hold at most {MOST_RECORDS} records")
        requests.append(decode_prediction_log(record))
    return requests


def read_records(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yields the records of a TFRecord file: length, its checksum, the bytes, their checksum.

    Raises:
        ValueError: when it is cut short or a checksum is wrong.
    """
    left = os.path.getsize(path)
    with open(path, "rb") as file:
        while left:
            head = file.read(12)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else left
            if length + 16 > left:
                raise ValueError(f"`{path}` must be whole. Received: a record that is cut short")
            record, end = file.read(length), file.read(4)
            if head[8:] != _checksum(head[:8]) or end != _checksum(record):
                raise ValueError(
                    f"`{path}` must be whole. Received: a record with another checksum"
                )
            yield record
            left -= length + 16


def encode_record(data: bytes) -> bytes:
    """Encodes one record; the file is one after the other."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    masked = (crc >> 15 | crc << 17) + 0xA282EAD8
    return struct.pack("<I", masked & 0xFFFFFFFF)


def _table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ (_POLYNOMIAL if value & 1 else 0) for value in table]
    return table


_TABLE = _table()
