"""Bytes -> :class:`~lung_models.radiograph.Radiograph`, or a :class:`~lung_models.radiograph.Refusal`.

What a file is, is told by its content; its name and extension are never looked at.
"""

from lung_models.decode.dicom import decode_dicom
from lung_models.decode.limits import DEFAULT_LIMITS, Limits
from lung_models.decode.raster import decode_raster
from lung_models.decode.sniff import is_dicom, is_encrypted, other_kind
from lung_models.radiograph import Radiograph, Refusal

__all__ = ["Limits", "decode"]


def decode(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Radiograph:
    """Decode one file.

    Args:
        data: The whole file: DICOM, PNG, JPEG, TIFF, BMP, GIF, WebP or JPEG 2000.
        name: Label for the user; passed on, not interpreted.
        limits: What is refused unseen because it is too large.

    Returns:
        The radiograph: float32 (height, width), 0..1, 1 is white.

    Raises:
        Refusal: The only exception, whatever the bytes are. Its text never quotes the file.
    """
    if not data:
        raise Refusal("The file is empty.")
    if excess := limits.excess_bytes(len(data)):
        raise Refusal(excess)
    try:
        if is_dicom(data):
            return decode_dicom(data, name, limits)
        if is_encrypted(data):
            raise Refusal("The file is encrypted: decrypt it before it is read.")
        if kind := other_kind(data):
            raise Refusal(f"The file is {kind}, not an image.")
        return decode_raster(data, name, limits)
    except Refusal:
        raise
    except Exception:  # a hostile file reaches any line of three decoders; the cause may quote a patient's name
        raise Refusal("The file is damaged: it cannot be decoded.") from None
