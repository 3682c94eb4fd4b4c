"""Every radiograph of a set is decoded, judged by the gate and compared with the others, as a reading would."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import cv2
import imagehash
import numpy as np
import pydicom
from PIL import Image

from lung_models import anatomy as organs
from lung_models.decode import decode
from lung_models.gate import Gate
from lung_models.intake.archive import SetFiles
from lung_models.intake.listing import LABEL_MAP, Entry, Listing, Problem
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import ORGANS

KEPT_SIDE = 1024  # pixels; pictures are kept reduced to this long side, four times what the networks take
HASH_SIDE = 16  # of the perceptual hash, 256 bits
SAME_PICTURE = 32
"""Bits in which the perceptual hashes of two copies of one picture may differ. Of 1,500 radiographs of shared/data,
many of the same patients, no two came closer than 42; reduced, compressed or brightened copies stayed within 30."""

Progress = Callable[[int, int, str], None]
"""Called with (done, of, what)."""


@dataclass(frozen=True)
class Picture:
    """A radiograph that can be learnt from.

    Args:
        entry: What the set says of it.
        digest: SHA-256 of its file; the name it is kept under.
        patient: As the set or the file names the patient; None when neither does.
        geometry: float32 (6,), of its organs, see :data:`lung_models.anatomy.GEOMETRY`.
        frame: float32 (4,), left, top, right, bottom of the frame around them, shares of the picture.
    """

    entry: Entry
    digest: str
    patient: str | None
    geometry: np.ndarray = field(repr=False, compare=False)
    frame: np.ndarray = field(repr=False, compare=False)


@dataclass(frozen=True)
class Examined:
    """What was found in a set.

    Args:
        listing: What the set says it holds.
        pictures: The radiographs that can be used, by path.
        problems: Everything that is left out, by path, and why.
        folder: Where pictures and masks were kept.
        organs_sha256: Of the organ model that judged and measured them.
    """

    listing: Listing
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]
    folder: Path
    organs_sha256: str


def examine(
    files: SetFiles, listing: Listing, gate: Gate, organs_sha256: str, folder: Path, progress: Progress
) -> Examined:
    """Decode, judge and keep every radiograph of a listing.

    Args:
        files: The set.
        listing: From :func:`lung_models.intake.layouts.recognise`.
        gate: Judges as it does when reading.
        organs_sha256: Of the gate's organ model.
        folder: Where usable pictures and masks are written: reduced, without any tag, under their hash.
        progress: Told of the files done.
    """
    entries = {entry.file: entry for entry in listing.entries}
    mask_files = {name for entry in listing.entries for name in entry.masks.values()}
    masks = _read_masks(files, mask_files)
    known = KnownPictures()
    pictures, problems = [], list(listing.problems)
    for done, (name, content) in enumerate(files.read(set(entries)), start=1):
        entry = entries[name]
        try:
            if isinstance(content, Refusal):
                raise content
            pictures.append(_usable(entry, content, gate, known, masks, folder))
        except Refusal as refusal:
            problems.append(Problem(name, refusal.reason))
        progress(done, len(entries), "files examined")
    ordered = sorted(problems, key=lambda problem: problem.file)
    return Examined(listing, tuple(pictures), tuple(ordered), folder, organs_sha256)


def _usable(
    entry: Entry,
    content: bytes,
    gate: Gate,
    known: "KnownPictures",
    masks: Mapping[str, np.ndarray | Refusal],
    folder: Path,
) -> Picture:
    """Keep one radiograph.

    Raises:
        Refusal: when it cannot be used.
    """
    radiograph = decode(content, Path(entry.file).name)
    verdict = gate.judge(radiograph)
    if verdict.reason is not None or verdict.anatomy is None:
        raise Refusal(f"Refused as when reading: {verdict.reason}")
    digest = hashlib.sha256(content).hexdigest()
    if (copy_of := known.find(digest, radiograph)) is not None:
        raise Refusal(f"The same picture as {copy_of}, which is kept.")
    drawn = _drawn(entry, masks, radiograph)
    kept = _reduced(radiograph.pixels)
    _write(folder / "images" / f"{digest}.png", np.rint(kept * 65535.0).astype(np.uint16))
    for organ, mask in drawn.items():
        small = cv2.resize(mask, kept.shape[::-1], interpolation=cv2.INTER_AREA)
        _write(folder / "masks" / organ / f"{digest}.png", np.where(small >= 128, 255, 0).astype(np.uint8))
    known.add(entry.file, digest, radiograph)
    frame = organs.frame(verdict.anatomy)
    corners = np.array([frame.left, frame.top, frame.right, frame.bottom], np.float32)
    patient = entry.patient or _patient_in_file(content, radiograph)
    return Picture(entry, digest, patient, organs.geometry(verdict.anatomy), corners)


class KnownPictures:
    """Pictures met so far, to find copies by."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.digests: dict[str, str] = {}
        self.hashes = np.zeros((0, HASH_SIDE**2), bool)

    def find(self, digest: str, radiograph: Radiograph) -> str | None:
        """Name of the picture that this one is a copy of, byte for byte or to the eye; None when it is new."""
        if digest in self.digests:
            return self.digests[digest]
        if not self.names:
            return None
        differing = (self.hashes != perceptual_hash(radiograph)).sum(axis=1)
        nearest = int(np.argmin(differing))
        return self.names[nearest] if differing[nearest] <= SAME_PICTURE else None

    def add(self, name: str, digest: str, radiograph: Radiograph) -> None:
        """Remember a picture."""
        self.names.append(name)
        self.digests[digest] = name
        self.hashes = np.vstack([self.hashes, perceptual_hash(radiograph)])


def perceptual_hash(radiograph: Radiograph) -> np.ndarray:
    """bool (256,): what stays the same when a picture is resized or compressed (``imagehash.phash``)."""
    small = cv2.resize(radiograph.pixels, (256, 256), interpolation=cv2.INTER_AREA)
    grey = Image.fromarray(np.rint(small * 255.0).astype(np.uint8))
    return np.asarray(imagehash.phash(grey, hash_size=HASH_SIDE).hash, bool).ravel()


def _read_masks(files: SetFiles, wanted: set[str]) -> dict[str, np.ndarray | Refusal]:
    """The masks, uint8 (height, width); the few that cannot be read as the reason."""
    masks: dict[str, np.ndarray | Refusal] = {}
    for name, content in files.read(wanted) if wanted else ():
        if isinstance(content, Refusal):
            masks[name] = content
            continue
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
        masks[name] = Refusal("The mask is not a picture.") if picture is None else picture
    return masks


def _drawn(entry: Entry, masks: Mapping[str, np.ndarray | Refusal], radiograph: Radiograph) -> dict[str, np.ndarray]:
    """The organs drawn on a radiograph, uint8 (height, width), 0 or 255.

    Raises:
        Refusal: when a mask cannot be read, has another size or holds other values than it should.
    """
    drawn: dict[str, np.ndarray] = {}
    for what, name in entry.masks.items():
        mask = masks[name]
        if isinstance(mask, Refusal):
            raise Refusal(f"{mask.reason} ({name})")
        if mask.shape != (radiograph.height, radiograph.width):
            size = f"{mask.shape[1]} x {mask.shape[0]}"
            raise Refusal(f"Its mask is {size} pixels, the picture {radiograph.width} x {radiograph.height} ({name}).")
        if what != LABEL_MAP:
            drawn[what] = np.where(mask > 127 if mask.max() > 1 else mask > 0, 255, 0).astype(np.uint8)
        elif mask.max() > len(ORGANS):
            raise Refusal(f"Its label map has the value {mask.max()}; 0 to {len(ORGANS)} are known ({name}).")
        else:
            drawn |= {o: np.where(mask == v, 255, 0).astype(np.uint8) for v, o in enumerate(ORGANS, start=1)}
    if entry.masks and not any(mask.any() for mask in drawn.values()):
        raise Refusal("Nothing is drawn in its masks.")
    return drawn


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """A picture at the size it is kept: float32, long side at most ``KEPT_SIDE``."""
    scale = KEPT_SIDE / max(pixels.shape)
    if scale >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.clip(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), 0.0, 1.0)


def _patient_in_file(content: bytes, radiograph: Radiograph) -> str | None:
    """The DICOM PatientID; None for other files, and where it is empty or cannot be read."""
    if radiograph.origin != "dicom":
        return None
    try:
        header = pydicom.dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=["PatientID"], force=True)
        return str(header.get("PatientID", "") or "").strip() or None
    except Exception:  # a header that decoding got around may still be damaged
        return None


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    path.write_bytes(encoded.tobytes())
