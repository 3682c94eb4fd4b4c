"""A PACS over DICOMweb (PS3.18): query it, retrieve radiographs, store results back.

Nothing is tried twice without being asked, and nothing of a patient or of a password reaches a log.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, TypeVar

import requests
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from pydicom import Dataset
from pydicom.pixels.utils import get_expected_length

from lung_models.decode.limits import Limits
from lung_models.pacs.settings import Endpoint, PacsError

MODALITIES = ("CR", "DX", "RG")
"""Modalities of plain radiographs. OT is left out: our own Secondary Captures, stored back, come under it."""
MOST_STUDIES = 200  # of one query
MOST_INSTANCES = 64  # of one study; a plain radiograph has a few
AS_STORED = (("application/dicom", "*"),)  # whatever its transfer syntax
Result = TypeVar("Result")

logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)  # it logs addresses with patients' numbers in them


@dataclass(frozen=True)
class FoundStudy:
    """One study that a query found. Patient and name are for the screen only.

    Args:
        uid: Study Instance UID.
        patient_id: As the PACS has it.
        patient_name: As the PACS has it.
        date: ``YYYY-MM-DD``, or empty.
        modalities: Of its series.
        description: Of the study.
        instances: How many it holds; 0 when the PACS does not say.
    """

    uid: str
    patient_id: str
    patient_name: str
    date: str
    modalities: str
    description: str
    instances: int


class Pacs:
    """One PACS.

    Args:
        where: Its endpoint.
    """

    def __init__(self, where: Endpoint) -> None:
        self.where = where
        session = (
            create_session_from_user_pass(where.username, where.password) if where.username else requests.Session()
        )
        session.max_redirects = 0  # an answer must not lead elsewhere, least of all to plain http
        session.trust_env = False  # no proxy, no .netrc: exactly what the settings say
        if where.ca_bundle:
            session.verify = where.ca_bundle
        session.hooks["response"].append(_check_length)
        self._client = DICOMwebClient(where.url, session=session, timeout=where.timeout_seconds)
        self._client.set_http_retry_params(retry=False)

    def query(self, patient_id: str = "", date: str = "", modalities: Sequence[str] = MODALITIES) -> list[FoundStudy]:
        """Studies that hold a radiograph (QIDO-RS), the newest first.

        Args:
            patient_id: Exactly; empty for all. Some PACS take wildcards, Orthanc none.
            date: ``YYYY-MM-DD``, or ``FROM..TO``; empty for all.
            modalities: At least one of a study's must be among these.

        Raises:
            PacsError: as the module says.
            ValueError: when the date is none.
        """
        filters = {
            key: value for key, value in (("PatientID", patient_id.strip()), ("StudyDate", _dates(date))) if value
        }
        found: dict[str, FoundStudy] = {}
        fields = ["StudyDescription", "NumberOfStudyRelatedInstances", "ModalitiesInStudy"]
        for modality in modalities:
            wanted = {**filters, "ModalitiesInStudy": modality}
            search = partial(self._client.search_for_studies, limit=MOST_STUDIES, fields=fields, search_filters=wanted)
            for study in self._asked(partial(_all_found, search)):
                found[study.uid] = study
        return sorted(found.values(), key=lambda study: (study.date, study.uid), reverse=True)[:MOST_STUDIES]

    def retrieve(self, study_uid: str) -> Iterator[bytes]:
        """The radiographs of a study, whole files, one after the other (WADO-RS).

        Segmentations, reports and presentation states are left out. When it breaks, what came before was given.

        Raises:
            PacsError: when the study is not there, holds no radiograph, or breaks off.
        """
        search = partial(self._client.search_for_instances, study_uid, fields=["Modality"])
        listed = self._asked(lambda: [Dataset.from_json(one) for one in search()])
        if not listed:
            raise PacsError(f"{self.where.name} holds no such study: query it again.")
        wanted = [header for header in listed if header.get("Modality") in MODALITIES]
        if not wanted:
            raise PacsError("The study holds no radiograph (CR, DX or RG).")
        for header in wanted[:MOST_INSTANCES]:
            series_uid, uid = (str(header.get(name) or "") for name in ("SeriesInstanceUID", "SOPInstanceUID"))
            yield self._instance(study_uid, series_uid, uid)

    def retrieve_one(self, study_uid: str, uid: str) -> Dataset:
        """One object of a study, by its SOP Instance UID."""
        listed = self._asked(
            lambda: self._client.search_for_instances(study_uid, search_filters={"SOPInstanceUID": uid})
        )
        if not listed:
            raise PacsError(f"{self.where.name} no longer holds the radiograph: it cannot be stored back there.")
        series = self._asked(lambda: str(Dataset.from_json(listed[0]).SeriesInstanceUID))
        return self._whole(self._retrieved(study_uid, series, uid))

    def store(self, datasets: Sequence[Dataset]) -> None:
        """Store objects (STOW-RS), each by itself; one that is there already does no harm.

        Raises:
            PacsError: naming the objects that were not stored; the others were.
        """
        failed: list[str] = []
        reason = ""
        for dataset in datasets:
            try:
                answer = self._asked(partial(self._client.store_instances, [dataset]))
                if answer.get("FailedSOPSequence"):
                    raise PacsError(f"{self.where.name} did not accept it.")
            except PacsError as error:
                failed.append(f"{dataset.get('Modality', 'object')} {dataset.SOPInstanceUID}")
                reason = error.reason
        if failed:
            raise PacsError(f"{len(failed)} of {len(datasets)} not stored ({', '.join(failed)}). {reason}")

    def _instance(self, study_uid: str, series_uid: str, uid: str) -> bytes:
        dataset = self._whole(self._retrieved(study_uid, series_uid, uid))
        stream = BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        return stream.getvalue()

    def _retrieved(self, study_uid: str, series_uid: str, uid: str) -> Dataset:
        return self._asked(lambda: self._client.retrieve_instance(study_uid, series_uid, uid, media_types=AS_STORED))

    def _whole(self, dataset: Dataset) -> Dataset:
        """The dataset, if all of its pixels arrived."""
        broken = PacsError(f"{self.where.name} sent half an object: try again.")
        if "PixelData" not in dataset or "SOPInstanceUID" not in dataset:
            raise broken
        if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            try:
                expected = get_expected_length(dataset)
            except (AttributeError, ValueError) as error:
                raise broken from error
            if len(dataset.PixelData) < expected:
                raise broken
        return dataset

    def _asked(self, ask: Callable[[], Result]) -> Result:
        """The answer to a request; whatever goes wrong is one line."""
        name = self.where.name
        try:
            return ask()
        except PacsError:
            raise
        except requests.exceptions.SSLError as error:
            raise PacsError(f"The certificate of {name} is not trusted: set its ca_bundle.") from error
        except requests.exceptions.Timeout as error:
            seconds = self.where.timeout_seconds
            raise PacsError(
                f"{name} did not answer within {seconds:g} s: try again, or raise timeout_seconds."
            ) from error
        except requests.exceptions.HTTPError as error:
            raise PacsError(_of_status(name, error)) from error
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise PacsError(f"The answer of {name} broke off: try again.") from error
        except requests.exceptions.JSONDecodeError as error:
            raise PacsError(f"{name} did not answer as DICOMweb does: check its url.") from error
        except requests.exceptions.TooManyRedirects as error:
            raise PacsError(f"{name} sends requests elsewhere, which is not followed: set the url it names.") from error
        except requests.exceptions.RequestException as error:
            raise PacsError(f"{name} cannot be reached: see that it runs and that its url is right.") from error
        except Exception as error:  # half an object, or not DICOM at all, reaches any line of two parsers
            raise PacsError(f"{name} sent something that is not whole or not DICOM: try again.") from error


def _check_length(response: requests.Response, *args: Any, **kwargs: Any) -> None:
    """Refuse an answer that says it is too long, before it is read."""
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and Limits().excess_bytes(int(length)):
        response.close()
        raise PacsError("The PACS sends more than may be read at once: the object is too large.")


def _of_status(name: str, error: requests.exceptions.HTTPError) -> str:
    status = 0 if error.response is None else error.response.status_code
    if status in (401, 403):
        return f"{name} refused the sign-in ({status}): check username and password in the settings."
    if status == 404:
        return f"{name} does not have it (404): check the study, or the url in the settings."
    return f"{name} answered with an error ({status}): try again, or ask who runs it."


def _dates(text: str) -> str:
    """``YYYY-MM-DD`` or ``FROM..TO`` as QIDO-RS takes it."""
    ends = [end.strip().replace("-", "") for end in text.strip().split("..")]
    if text.strip() and (len(ends) > 2 or not all(end == "" or (len(end) == 8 and end.isdigit()) for end in ends)):
        raise ValueError("A date is YYYY-MM-DD, or FROM..TO.")
    return "-".join(ends)


def _all_found(search: Callable[[], list[dict[str, Any]]]) -> list[FoundStudy]:
    return [_found(one) for one in search()]


def _found(answer: dict[str, Any]) -> FoundStudy:
    header = Dataset.from_json(answer)
    day = str(header.get("StudyDate") or "")
    modalities = header.get("ModalitiesInStudy") or []
    return FoundStudy(
        uid=str(header.get("StudyInstanceUID") or ""),
        patient_id=str(header.get("PatientID") or ""),
        patient_name=str(header.get("PatientName") or ""),
        date=f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 else "",
        modalities=modalities if isinstance(modalities, str) else ", ".join(modalities),
        description=str(header.get("StudyDescription") or ""),
        instances=int(header.get("NumberOfStudyRelatedInstances") or 0),
    )
