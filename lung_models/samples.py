"""The two radiographs of the ``pydicom-data`` package that the app opens as samples."""

from dataclasses import dataclass
from pathlib import Path

from lung_models.radiograph import Refusal


@dataclass(frozen=True)
class Sample:
    """One sample file.

    Args:
        file: Name of the file in ``pydicom-data``.
        name: Label for the worklist.
    """

    file: str
    name: str


CHEST = Sample("RG1_UNCR.dcm", "Sample: chest")
LEG = Sample("RG3_UNCR.dcm", "Sample: leg")


def sample_bytes(sample: Sample) -> bytes:
    """Return the DICOM file of a sample.

    Raises:
        Refusal: The package ``pydicom-data`` is not installed. Nothing is ever downloaded in its place.
    """
    from pydicom.data import get_testdata_file

    path = get_testdata_file(sample.file, download=False)
    if path is None:
        raise Refusal("The sample is not installed. Run: pip install pydicom-data")
    return Path(str(path)).read_bytes()
