"""Synthetic files for tests: DICOM from an array, compressed pictures and hostile ones."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    generate_uid,
)


def real_file(name: str) -> bytes:
    """A file of pydicom or pydicom-data."""
    path = get_testdata_file(name, download=False)
    with open(path, "rb") as file:  # noqa: PTH123 pydicom answers with a plain string
        return file.read()


def real_dataset(name: str, **attributes: Any) -> Dataset:
    """The same as a dataset, called a radiograph (modality CR) and with other attributes changed."""
    dataset = dcmread(BytesIO(real_file(name)))
    for keyword, value in {"Modality": "CR", **attributes}.items():
        setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset) -> bytes:
    """The bytes of a dataset as a DICOM file, in the transfer syntax of its meta information."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def radiograph_dataset(
    stored: np.ndarray,
    *,
    bits: int,
    photometric: str = "MONOCHROME2",
    syntax: UID = ExplicitVRLittleEndian,
    **attributes: Any,
) -> Dataset:
    """A radiograph (CR) around stored values: integers, shape (rows, columns), (frames, rows, columns) or with 3 last.

    Signedness and bits allocated are those of the array's type. ``attributes`` are set last, so they can also spoil it.
    """
    samples = 3 if stored.shape[-1] == 3 and photometric in ("RGB", "YBR_FULL") else 1
    rows, columns = stored.shape[-3:-1] if samples == 3 else stored.shape[-2:]
    frames = stored.size // (rows * columns * samples)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["a radiograph for a test"])
    dataset.Modality = "CR"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, columns, samples
    dataset.PhotometricInterpretation = photometric
    if samples == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.dtype.itemsize, bits, bits - 1
    dataset.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
    if frames > 1:
        dataset.NumberOfFrames = frames
    pixels = stored.astype(stored.dtype.newbyteorder("<" if syntax.is_little_endian else ">")).tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def radiograph_file(stored: np.ndarray, *, bits: int, **attributes: Any) -> bytes:
    """The bytes of :func:`radiograph_dataset`."""
    return written(radiograph_dataset(stored, bits=bits, **attributes))


def encapsulated_file(frame: bytes, syntax: UID, *, rows: int, columns: int, **attributes: Any) -> bytes:
    """A radiograph of 8 bit whose pixel data is this compressed frame, whatever is in it."""
    dataset = radiograph_dataset(np.zeros((1, 1), np.uint8), bits=8, syntax=syntax)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def deflated_bomb(inflated: int) -> bytes:
    """A deflated DICOM file whose pixel data inflates to so many bytes of zero."""
    bomb = radiograph_dataset(np.zeros((1, 1), np.uint8), bits=8, syntax=DeflatedExplicitVRLittleEndian)
    bomb.PixelData = b"\0" * inflated
    return written(bomb)


def lookup_table(entries: list[int], *, first: int, depth: int) -> Dataset:
    """An item of a modality or VOI LUT sequence."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, depth]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.LUTData = entries
    item["LUTData"].VR = "US"
    return item


def picture(pixels: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    """An array or a Pillow image as a file of this kind."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes, cut: bool = False) -> bytes:
    """A PNG put together by hand: what Pillow doesn't write (16 bit with several channels), and bombs.

    ``rows`` are the scan lines, each with its filter byte in front.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), *([] if cut else [(b"IEND", b"")])]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
