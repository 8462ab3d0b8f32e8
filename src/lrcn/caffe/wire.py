"""Protobuf's wire format, as much of it as Caffe's files need; nothing is copied.

A message is a row of fields, each a tag (number and wire type) and a value: a varint, four or
eight bytes, or a length with so many bytes behind it, which may be a message again. This reader
says where the bytes lie and never goes into them by itself, so nesting costs no stack; groups
(wire types 3 and 4) do not occur in `caffe.proto` and are refused.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrcn.errors import WeightsError

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
_GROUP_START, _GROUP_END = 3, 4

_MAX_BYTES = 2**31 - 1
"""Of one message, by protobuf's own rule; a file that claims more only wants memory."""
_MAX_FIELDS = 200_000
"""Of one file. A real net has some thousands; reading so many takes about a second."""


class Span(NamedTuple):
    """Bytes of the file: from `start` up to `end`."""

    start: int
    end: int


class Field(NamedTuple):
    """One field of a message."""

    number: int
    wire_type: int
    value: int
    """Of a varint; 0 for others."""
    span: Span
    """Where the bytes of the value lie; for LENGTH without the length itself. Repeated numbers that
    a writer did not pack are one field, tags included."""


class WireFile:
    """A file of protobuf messages, mapped into memory.

    Attributes:
        path: Where it lies.
        whole: The outermost message.
    """

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            WeightsError: it is absent, empty, too large, no file on a disk, or cannot be read.
        """
        self.path = path
        if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe would wait
            raise WeightsError(
                f"{path} cannot be read: it is a pipe or a device, and the file is read out of"
                " order. Give a .caffemodel file on a disk"
            )
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is empty"
            raise WeightsError(
                f"{path} cannot be read: {reason}. Give the .caffemodel file of a trained net"
            ) from error
        self.whole = Span(0, len(self._bytes))
        if self.whole.end > _MAX_BYTES:
            raise WeightsError(
                f"{path} has {self.whole.end:,} bytes, and protobuf allows {_MAX_BYTES:,}: it is no"
                " .caffemodel. Give the file of a trained net"
            )
        self._num_fields = 0

    def fields(self, message: Span) -> Iterator[Field]:
        """The fields of a message, in order.

        Raises:
            WeightsError: the bytes are no message, or the file has far too many fields.
        """
        place = message.start
        while place < message.end:
            field = self._field(place, message.end)
            yield field
            place = field.span.end

    def text(self, span: Span) -> str:
        """A string field; what is no UTF-8, or would steer a terminal, is shown escaped."""
        text = self._bytes[span.start : span.end].decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

    def head(self, num_bytes: int) -> bytes:
        """The first bytes of the file."""
        return self._bytes[:num_bytes]

    def integers(self, span: Span) -> list[int]:
        """Packed varints, signed 64-bit.

        Raises:
            WeightsError: the last one is cut off, or there are far too many.
        """
        values, place = [], span.start
        while place < span.end:
            self._count(place)
            value, place = self._varint(place, span.end)
            values.append(signed(value))
        return values

    def numbers(self, field: Field, dtype: str) -> NDArray[np.floating]:
        """Repeated numbers: packed ones where they lie in the file, others without their tags.

        Args:
            field: Of type LENGTH (packed), or a row of FOUR_BYTES or EIGHT_BYTES.
            dtype: "<f4" or "<f8".

        Raises:
            WeightsError: the bytes are no whole number of them.
        """
        width, length = np.dtype(dtype).itemsize, field.span.end - field.span.start
        if field.wire_type != LENGTH:
            bytes_2d = np.frombuffer(self._bytes, np.uint8, length, field.span.start)
            bytes_2d = bytes_2d.reshape(-1, width + 1)[:, 1:]
            return np.ascontiguousarray(bytes_2d).view(dtype)[:, 0]
        if length % width:
            raise self.damaged(f"{length} bytes of numbers of {width} bytes each", field.span.start)
        return np.frombuffer(self._bytes, dtype, length // width, field.span.start)

    def damaged(self, what: str, place: int) -> WeightsError:
        """The error for bytes that cannot be right."""
        return WeightsError(
            f"{self.path} is damaged or no .caffemodel: {what}, at byte {place:,} of"
            f" {self.whole.end:,}. Fetch the file again"
        )

    def _field(self, place: int, end: int) -> Field:
        self._count(place)
        tag, start = self._varint(place, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise self.damaged(f"a field numbered {number}", place)
        value = 0
        if wire_type == VARINT:
            value, behind = self._varint(start, end)
        elif wire_type == LENGTH:
            length, start = self._varint(start, end)
            behind = start + length
        elif wire_type in (FOUR_BYTES, EIGHT_BYTES):
            width = 4 if wire_type == FOUR_BYTES else 8
            behind = start + width
            if start == place + 1 and behind <= end:
                start, behind = place, self._end_of_row(place, end, width + 1)
        else:
            raise self.damaged(f"a field of wire type {wire_type}", place)
        if behind > end:
            raise self.damaged(
                f"field {number} needs {behind - start:,} bytes where {end - start:,} are left",
                place,
            )
        return Field(number, wire_type, value, Span(start, behind))

    def _end_of_row(self, start: int, end: int, stride: int) -> int:
        """How far the one-byte tag at `start` comes again every `stride` bytes.

        What is looked at stays in proportion to what is found: each look is twice as far.
        """
        tag, most, num, step = self._bytes[start], (end - start) // stride, 1, 1
        if most < 2 or self._bytes[start + stride] != tag:
            return start + stride
        while num < most:
            step = min(2 * step, most - num)
            ahead = np.frombuffer(self._bytes, np.uint8, step * stride, start + num * stride)
            same = ahead[::stride] == tag
            if not same.all():
                return start + (num + int(same.argmin())) * stride
            num += step
        return start + num * stride

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        """A number of seven bits a byte, and the place behind it."""
        value = 0
        for k, byte in enumerate(self._bytes[place : min(end, place + 10)]):
            value |= (byte & 0x7F) << (7 * k)
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, place + k + 1
        raise self.damaged("a number without an end", place)

    def _count(self, place: int) -> None:
        self._num_fields += 1
        if self._num_fields > _MAX_FIELDS:
            raise self.damaged(f"more than {_MAX_FIELDS:,} fields", place)


def signed(value: int) -> int:
    """A varint as a signed 64-bit integer.

    >>> signed(5), signed(2**64 - 1)
    (5, -1)
    """
    return value - (1 << 64) if value >= 1 << 63 else value
