"""Taking a patient's identity out of a DICOM file: the Basic Application Level Confidentiality Profile.

DICOM PS3.15 Annex E, Table E.1-1, as the ``dicom-anonymizer`` package lists it (edition 2026c), applied to every level
of nested sequences. Pixels stay as they are: text that is burned into them is not removed, see
:mod:`lung_models.records.burned_in`.
"""

from collections.abc import Callable
from io import BytesIO

from dicomanonymizer import simpledicomanonymizer as profile
from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from lung_models.records.kept_files import keyed_hash

EDITION = "dicomfields_2026c"
METHOD = "DICOM PS3.15 Basic Profile"
METHOD_CODE = ("113100", "DCM", "Basic Application Confidentiality Profile")  # PS3.16 CID 7050
DATES_AND_TIMES = ("DA", "DT", "TM")
Tag = tuple[int, int]
Action = Callable[[Dataset, Tag], None]


def deidentified(data: bytes, key: bytes, pseudonym: str) -> bytes:
    """A DICOM file without identity, under a pseudonym; the same file and key give the same bytes.

    UIDs are replaced by keyed hashes of themselves: references between kept files hold, and the originals cannot be
    guessed.

    Args:
        data: The whole file.
        key: Of this installation, see :func:`lung_models.records.kept_files.installation_key`.
        pseudonym: What the patient is called instead.
    """
    dataset = dcmread(BytesIO(data), force=True)
    _clean(dataset, _rules(key))
    dataset.remove_private_tags()
    dataset.PatientName, dataset.PatientID = f"{pseudonym}^", pseudonym
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = METHOD_CODE
    dataset.DeidentificationMethodCodeSequence = [code]
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        native = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else native
    if "SOPInstanceUID" in dataset:
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = b"\0" * 128
    for name in ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle", "ReceivingApplicationEntityTitle"):
        if name in dataset.file_meta:
            del dataset.file_meta[name]
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format="SOPClassUID" in dataset and "SOPInstanceUID" in dataset)
    return stream.getvalue()


def new_uid(key: bytes, uid: str) -> UID:
    """The UID that stands for another one."""
    return generate_uid(entropy_srcs=[keyed_hash(key, "UID", uid)])


def _clean(dataset: Dataset, rules: dict[Tag, Action]) -> None:
    """Apply the rules to a dataset and to every dataset nested in what is left of it."""
    profile.anonymize_dataset(dataset, None, True, lambda: rules)
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _clean(item, rules)


def _rules(key: bytes) -> dict[Tag, Action]:
    """The profile's table, with UIDs replaced by keyed hashes, and with dates emptied rather than set to year 1."""

    def replace_uid(dataset: Dataset, tag: Tag) -> None:
        element = dataset.get(tag)
        if element is not None and element.value:
            many = element.VM > 1
            uids = element.value if many else [element.value]
            renewed = [new_uid(key, str(uid)) for uid in uids]
            element.value = renewed if many else renewed[0]

    def uid_or_empty(dataset: Dataset, tag: Tag) -> None:
        element = dataset.get(tag)
        if element is not None and element.VR != "UI":
            _empty(dataset, tag)
        else:
            replace_uid(dataset, tag)

    ours: dict[Action, Action] = {
        profile.replace_UID: replace_uid,
        profile.delete_or_empty_or_replace_UID: uid_or_empty,
        profile.delete: _remove,
        profile.empty: _empty,
        profile.delete_or_empty: _empty,
    }
    table: dict[Tag, Action] = profile.initialize_actions(EDITION)
    return {tag: ours.get(action, action) for tag, action in table.items()}


def _remove(dataset: Dataset, tag: Tag) -> None:
    if tag in dataset:
        del dataset[tag]


def _empty(dataset: Dataset, tag: Tag) -> None:
    if tag not in dataset:
        return
    element = dataset[tag]
    if element.VR == "SQ":
        element.value = []
    elif element.VR in DATES_AND_TIMES:
        element.value = ""
    else:
        profile.empty(dataset, tag)
