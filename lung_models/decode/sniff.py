"""What a file is, told by its first bytes."""

import struct

from pydicom.valuerep import VR

MAGIC_OFFSET = 128  # bytes of preamble before "DICM" (PS3.10 7.1)
FIRST_GROUPS = (0x0002, 0x0008)  # a DICOM file without preamble starts with one of these groups
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")  # object identifier of CMS enveloped data (RFC 5652)
TEXT_SAMPLE = 4096  # bytes looked at to tell text from anything else
PLAIN_TEXT = bytes(range(32, 127)) + b"\t\n\r\f"

OTHER_KINDS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an Office document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
)


def is_dicom(data: bytes) -> bool:
    """Whether this is a DICOM file, with the preamble of PS3.10 or, as old archives write it, without."""
    if data[MAGIC_OFFSET : MAGIC_OFFSET + 4] == b"DICM":
        return True
    if len(data) < 12:
        return False
    return _plausible_element(data, "<") or _plausible_element(data, ">")


def _plausible_element(data: bytes, order: str) -> bool:
    """Whether the bytes begin with a data element of the first groups (PS3.5 7.1), its length inside the file."""
    group, element = struct.unpack_from(f"{order}HH", data)
    if group not in FIRST_GROUPS or element > 0x0100:
        return False
    if data[4:6].isupper() and data[4:6].decode("ascii", "replace") in set(VR):
        return True
    return order == "<" and struct.unpack_from("<L", data, 4)[0] <= min(len(data) - 8, 0xFFFF)


def is_encrypted(data: bytes) -> bool:
    """Whether this is a secure DICOM file: wrapped as a whole in a cryptographic envelope (PS3.10 7.4)."""
    return ENVELOPED_DATA in data[:64]


def other_kind(data: bytes) -> str | None:
    """Name of a kind of file that is no image, for example ``a PDF document``; None when it is not known."""
    for magic, kind in OTHER_KINDS:
        if data.startswith(magic):
            return kind
    return "text" if _is_text(data[:TEXT_SAMPLE]) else None


def _is_text(sample: bytes) -> bool:
    """Whether it reads as text: printable throughout, in ASCII or in valid UTF-8."""
    if not sample.translate(None, PLAIN_TEXT):
        return True
    text = sample.decode("utf-8", "ignore")  # the sample may end within a character
    return len(text.encode()) >= len(sample) - 3 and all(one.isprintable() or one in "\t\n\r\f\ufeff" for one in text)
