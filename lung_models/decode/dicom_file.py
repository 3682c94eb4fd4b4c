"""Opening a DICOM file (PS3.10): its header, then its pixel data, each as far as the limits let it."""

import logging
import warnings
import zlib
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from lung_models.decode.limits import Limits
from lung_models.decode.sniff import MAGIC_OFFSET
from lung_models.radiograph import Refusal

TRUNCATED = "The DICOM file is truncated: its pixel data is incomplete. Send it again."
FILE_META_GROUP = 0x0002
READS_LIMIT = 500_000
"""Reads that a file may take. Each element and item takes two or three; the header of a 1,000 frame image takes some
100,000. A few MB of empty items would otherwise become GB of objects.
"""

# pydicom's messages quote the values that they complain of, a patient's among them.
warnings.filterwarnings("ignore", module=r"pydicom\b")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


class _CountedStream(BytesIO):
    """Bytes that cannot be read in too many small pieces; OSError, which ends as a damaged file, when one tries."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > READS_LIMIT:
            raise OSError("too many elements")
        return super().read(size)


class DicomFile:
    """A DICOM file, read in two steps so that its header can be judged before its pixel data is touched.

    Args:
        data: The whole file, with or without preamble and meta information.
        limits: Bounds what a deflated file may inflate to.

    Attributes:
        header: Everything before the pixel data.
        stated_syntax: Transfer syntax of the file, or what its header looks like when it doesn't say.
        transfer_syntax: The same once inflated: how the pixel data is encoded.
        reaches_pixels: Whether anything follows the header.

    Raises:
        Refusal: It is deflated, and truncated or over the limit.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.transfer_syntax = UID("")
        if data[MAGIC_OFFSET : MAGIC_OFFSET + 4] == b"DICM":
            stream = _CountedStream(data)
            stream.seek(MAGIC_OFFSET + 4)
            meta = read_dataset(stream, False, True, stop_when=_after_file_meta)
            self.transfer_syntax = self.stated_syntax = UID(str(meta.get("TransferSyntaxUID") or ""))
            if self.transfer_syntax == DeflatedExplicitVRLittleEndian:
                data = _inflate(data[stream.tell() :], limits)
                self.transfer_syntax = ExplicitVRLittleEndian
        self._stream = _CountedStream(data)
        self.header: Dataset = dcmread(self._stream, stop_before_pixels=True, force=True)
        self.reaches_pixels = self._stream.tell() < len(data)
        if not self.transfer_syntax:
            self.transfer_syntax = self.stated_syntax = self._unstated_syntax()

    def _unstated_syntax(self) -> UID:
        """The transfer syntax of a file without meta information: the native one that its header was read in."""
        stated = self.header.file_meta.get("TransferSyntaxUID")
        if stated:
            return UID(str(stated))
        implicit, little = self.header.original_encoding
        if implicit:
            return ImplicitVRLittleEndian
        return ExplicitVRLittleEndian if little else ExplicitVRBigEndian

    def with_pixels(self) -> Dataset:
        """The whole file as a dataset that pydicom can decode.

        Raises:
            Refusal: It is truncated within its pixel data, or that is of floating point.
        """
        dataset = Dataset()
        dataset.update(self.header)
        dataset.update(read_dataset(self._stream, *self.header.original_encoding))
        dataset.set_original_encoding(*self.header.original_encoding)
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise Refusal("Pixel data in floating point is not supported.")
        if "PixelData" not in dataset:
            raise Refusal(TRUNCATED)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = self.transfer_syntax
        return dataset


def _after_file_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    """Whether an element no longer belongs to the file meta information (PS3.10 7.1)."""
    return tag.group != FILE_META_GROUP


def _inflate(deflated: bytes, limits: Limits) -> bytes:
    """Inflate a dataset (PS3.5 A.5), no further than the limit.

    Raises:
        Refusal: It is truncated, or longer than the limit.
    """
    inflation = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflation.decompress(deflated, limits.bytes + 1)
    if excess := limits.excess_bytes(len(inflated)):
        raise Refusal(excess)
    if not inflation.eof:
        raise Refusal(TRUNCATED)
    return inflated
