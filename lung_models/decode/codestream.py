"""The size a compressed frame really has, read from its own header before it is decoded.

Rows and Columns of a hostile file may be small while the picture inside them is enormous; the decoders allocate by the
latter.
"""

import struct
from itertools import pairwise

START_OF_IMAGE = b"\xff\xd8"
START_OF_SCAN = 0xDA
FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xDE, 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers that carry a size: SOF0 to SOF15 and DHP (ITU-T T.81 table B.1), SOF55 of JPEG-LS (ITU-T T.87 C.1.1)."""
JPEG_2000_START = b"\xff\x4f\xff\x51"  # SOC and SIZ, always the first two (ITU-T T.800 A.3)
LONGEST_RUN = 128  # bytes that one run stands for at most (PS3.5 G.3.1)
RLE_HEADER = 64  # bytes: the number of segments and 15 offsets (PS3.5 G.5)


def frame_size(frame: bytes) -> tuple[int, int] | None:
    """Size of a JPEG, JPEG-LS or JPEG 2000 frame.

    Args:
        frame: One encapsulated frame.

    Returns:
        (height, width) in pixels, the largest that any of its headers names; None when there is no such header.
    """
    if frame.startswith(START_OF_IMAGE):
        return _jpeg_size(frame)
    start = frame.find(JPEG_2000_START, 0, 4096)  # 0 for a codestream, further on within the boxes of a JP2 file
    if start < 0 or len(frame) < start + 24:
        return None
    right, bottom, left, top = struct.unpack_from(">4L", frame, start + 8)  # XSIZ, YSIZ, XOSIZ, YOSIZ (T.800 A.5.1)
    return max(0, bottom - top), max(0, right - left)


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """The largest size that the markers before the first scan name."""
    sizes = []
    position = 2
    while position + 9 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == 0xFF:  # a fill byte (ITU-T T.81 B.1.1.2)
            position += 1
            continue
        if marker == START_OF_SCAN:
            break
        if marker in FRAME_MARKERS:
            sizes.append(struct.unpack_from(">HH", frame, position + 5))
        position += 2 + struct.unpack_from(">H", frame, position + 2)[0]
    if not sizes:
        return None
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def run_length_exceeds(frame: bytes, longest: int) -> bool:
    """Whether a segment of an RLE frame (PS3.5 G) unpacks to more bytes than it may.

    Args:
        frame: One encapsulated frame.
        longest: Bytes that one segment may unpack to: its pixels, one byte each; a last run of padding is let pass.
    """
    segments, *offsets = struct.unpack_from("<16L", frame)
    edges = [*offsets[: min(segments, 15)], len(frame)]
    return any(_unpacked_exceeds(frame[max(start, RLE_HEADER) : stop], longest) for start, stop in pairwise(edges))


def _unpacked_exceeds(segment: bytes, longest: int) -> bool:
    """Walk over the runs without unpacking them (PS3.5 G.3.2)."""
    position = unpacked = 0
    end = len(segment)
    while position < end:
        header = segment[position]
        if header < 128:
            unpacked += header + 1
            position += header + 2
        elif header > 128:
            unpacked += 257 - header
            position += 2
        else:
            position += 1
        if unpacked > longest + LONGEST_RUN:
            return True
    return False
