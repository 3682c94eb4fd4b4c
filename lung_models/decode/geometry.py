"""How the patient lies in a DICOM image: view, orientation and size of a pixel."""

import re

import numpy as np
from pydicom import Dataset

from lung_models.decode.attributes import first_item, numbers, word, words
from lung_models.decode.grey import Remarks
from lung_models.radiograph import Spacing, View

VIEW_POSITIONS: dict[str, View] = {
    "PA": "PA",
    "AP": "AP",
    "LL": "lateral",
    "RL": "lateral",
    "LAT": "lateral",
    "LATERAL": "lateral",
    "LLAT": "lateral",
    "RLAT": "lateral",
}
"""ViewPosition (PS3.3 C.8.7.1.1.1 and C.8.11.5): defined terms and what devices write for them."""

OTHER_POSITIONS = {
    "LLD": "left lateral decubitus",
    "RLD": "right lateral decubitus",
    "DECUBITUS": "lateral decubitus",
    "LLO": "left lateral oblique",
    "RLO": "right lateral oblique",
    "LAO": "left anterior oblique",
    "RAO": "right anterior oblique",
    "LPO": "left posterior oblique",
    "RPO": "right posterior oblique",
    "OBL": "oblique",
    "OBLIQUE": "oblique",
}
"""Words of ViewPosition that make it none of the three, as a warning names them; free text in it is never quoted."""

VIEW_CODES: dict[str, View] = {
    "272479007": "PA",
    "R-40888": "PA",
    "R-10214": "PA",
    "399348003": "AP",
    "R-10206": "AP",
    "399067008": "lateral",
    "R-102CD": "lateral",
    "399173006": "lateral",
    "R-10236": "lateral",
    "399198007": "lateral",
    "R-10232": "lateral",
}
"""ViewCodeSequence (PS3.16 CID 4010 DX View): SNOMED CT codes and the SNOMED RT codes that they replaced."""

OTHER_CODES = {
    **dict.fromkeys(("399135007", "R-10220"), "left anterior oblique"),
    **dict.fromkeys(("399356000", "R-40985"), "right anterior oblique"),
    **dict.fromkeys(("399006002", "R-10212"), "left posterior oblique"),
    **dict.fromkeys(("399038007", "R-10210"), "right posterior oblique"),
    **dict.fromkeys(("399312000", "R-10208"), "antero-posterior oblique"),
    **dict.fromkeys(("399059000", "R-10216"), "postero-anterior oblique"),
    **dict.fromkeys(("399184004", "R-10238"), "left oblique"),
    **dict.fromkeys(("399236003", "R-10234"), "right oblique"),
    **dict.fromkeys(("399160007", "R-10204"), "frontal oblique"),
    **dict.fromkeys(("260427002", "R-40783"), "lateral oblique"),
    **dict.fromkeys(("260426006", "R-40782"), "medial oblique"),
    **dict.fromkeys(("399182000", "R-102C1"), "oblique"),
}
"""The oblique views of the same CID, as a warning names them. It has no decubitus views."""

UNCALIBRATED_TOLERANCE = 1e-6  # relative; a PixelSpacing this close to ImagerPixelSpacing is a copy of it
SQUARE_TOLERANCE = 0.02  # relative; pixels further from square than this distort what is seen
NOT_SQUARE = "The pixels are not square: shapes and ratios on the picture are distorted."


def stated_view(header: Dataset, remarks: Remarks) -> View | None:
    """Projection that ViewPosition, or else ViewCodeSequence, or else PatientOrientation states.

    Of PatientOrientation only the lateral view can be told: its rows run to the front or to the back of the patient.

    Args:
        header: Attributes of this frame.
        remarks: A warning is added where the file states a decubitus or an oblique view, which is none of the three.
    """
    position = word(header, "ViewPosition")
    item = first_item(header, "ViewCodeSequence")
    code = "" if item is None else word(item, "CodeValue")
    terms = re.split("[^A-Z]+", position)
    named = next((OTHER_POSITIONS[term] for term in terms if term in OTHER_POSITIONS), None)
    view = VIEW_POSITIONS.get(position)
    if view is None and named is None:
        view, named = VIEW_CODES.get(code), OTHER_CODES.get(code)
    if named is not None:
        remarks.warnings.append(f"The file states the projection {named}, which is not a frontal PA or AP view.")
    elif view is None and _lies_sideways(header):
        return "lateral"
    return view


def upright(pixels: np.ndarray, header: Dataset, remarks: Remarks) -> tuple[np.ndarray, bool]:
    """Turn the picture so that rows run to the patient's left and columns to the feet, as PatientOrientation tells.

    PatientOrientation (PS3.3 C.7.6.1.1.1) names the direction of the rows, then of the columns: L\\F is the usual
    display of a frontal radiograph, R\\F is mirrored. Of a lateral view only up and down are put right: both ways of
    hanging it are in use. FieldOfViewRotation and FieldOfViewHorizontalFlip (PS3.3 C.8.11.3) tell what was already
    done to the stored pixels after the detector; PatientOrientation describes the result, so they ask for nothing.

    Args:
        pixels: Shape (height, width).
        header: Attributes of this frame.
        remarks: What was done is added to its notes.

    Returns:
        The pixels and whether rows and columns changed places.
    """
    along_rows, along_columns = _orientation(header)
    turned = along_rows in ("H", "F") and along_columns in ("L", "R", "A", "P")
    if turned:
        pixels = pixels.T
        along_rows, along_columns = along_columns, along_rows
    if along_columns not in ("H", "F") or along_rows not in ("L", "R", "A", "P"):
        return pixels, False
    mirrored, overturned = along_rows == "R", along_columns == "H"
    if mirrored:
        pixels = pixels[:, ::-1]
    if overturned:
        pixels = pixels[::-1]
    if turned:
        remarks.notes.append("Stored on its side: turned upright, by its patient orientation.")
    elif mirrored and overturned:
        remarks.notes.append("Stored upside down: turned by 180 degrees, by its patient orientation.")
    elif mirrored:
        remarks.notes.append("Stored mirrored: flipped so that the patient's left is on the right, by its orientation.")
    elif overturned:
        remarks.notes.append("Stored upside down: flipped so that the head is at the top, by its patient orientation.")
    return np.ascontiguousarray(pixels), turned


def _lies_sideways(header: Dataset) -> bool:
    """Whether one axis of the picture runs to the front or back, not obliquely (AL), and the other up or down."""
    directions = words(header, "PatientOrientation")
    if len(directions) != 2:
        return False
    across, along = sorted(directions, key=lambda one: one[:1] in ("H", "F"))
    return across[:1] in ("A", "P") and not set(across) & set("LR") and along[:1] in ("H", "F")


def _orientation(header: Dataset) -> tuple[str, str]:
    """Main direction of the rows and of the columns, one letter each; empty where not stated."""
    directions = words(header, "PatientOrientation")
    if len(directions) != 2:
        return "", ""
    return directions[0][:1], directions[1][:1]


def stated_spacing(header: Dataset, turned: bool, remarks: Remarks) -> Spacing | None:
    """Size of a pixel, labelled with the attribute that it rests on.

    A PixelSpacing that merely repeats ImagerPixelSpacing is not corrected for magnification (PS3.3 10.7.1.3) and is
    labelled as what it is. NominalScannedPixelSpacing is measured on the film, with no word on what magnification and
    copying did to it: no length is given.

    Args:
        header: Attributes of this frame.
        turned: Whether rows and columns have changed places since.
        remarks: A warning is added where pixels are not square.
    """
    pixel, imager = _pair(header, "PixelSpacing"), _pair(header, "ImagerPixelSpacing")
    chosen = pixel or imager
    if chosen is None:
        aspect = _pair(header, "PixelAspectRatio")  # without a unit, so it gives no length (PS3.3 C.7.6.3.1.7)
        if aspect is not None and abs(aspect[0] / aspect[1] - 1) > SQUARE_TOLERANCE:
            remarks.warnings.append(NOT_SQUARE)
        return None
    repeated = imager is not None and np.allclose(chosen, imager, rtol=UNCALIBRATED_TOLERANCE, atol=0)
    if repeated and word(header, "PixelSpacingCalibrationType"):
        repeated = pixel is None
    row, column = reversed(chosen) if turned else chosen
    if abs(row / column - 1) > SQUARE_TOLERANCE:
        remarks.warnings.append(NOT_SQUARE)
    return Spacing(row, column, "ImagerPixelSpacing" if repeated else "PixelSpacing")


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    """Two positive lengths in mm; None where not stated or, as real files have it, 0."""
    values = numbers(header, keyword)
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None
