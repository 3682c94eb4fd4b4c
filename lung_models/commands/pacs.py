"""``pacs``: query a PACS, retrieve radiographs from it, store results in it."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``pacs`` to the command line."""
    pacs = commands.add_parser("pacs", help="query a PACS over DICOMweb, retrieve from it, store in it")
    actions = pacs.add_subparsers(required=True, metavar="ACTION")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--endpoint", metavar="NAME", help="as the settings name it; not needed when there is one only")
    shared.add_argument("--json", action="store_true", help="one JSON object a line")

    query = actions.add_parser("query", parents=[shared], help="studies that hold a radiograph")
    query.add_argument("--patient", default="", metavar="ID", help="exactly as the PACS has it")
    query.add_argument("--date", default="", help="YYYY-MM-DD, or FROM..TO")
    query.add_argument("--modality", action="append", help="default: CR, DX and RG")
    query.set_defaults(run=_query)

    retrieve = actions.add_parser("retrieve", parents=[shared], help="the radiographs of a study")
    retrieve.add_argument("study", metavar="STUDY_UID")
    retrieve.add_argument("--out", type=Path, required=True, metavar="DIR")
    retrieve.set_defaults(run=_retrieve)

    store = actions.add_parser("store", parents=[shared], help="store DICOM files")
    store.add_argument("files", nargs="+", type=Path, metavar="FILE")
    store.set_defaults(run=_store)


def _query(options: argparse.Namespace) -> int:
    from lung_models.pacs.dicomweb import MODALITIES, Pacs
    from lung_models.pacs.settings import endpoint

    modalities = options.modality or MODALITIES
    for study in Pacs(endpoint(options.endpoint)).query(options.patient, options.date, modalities):
        if options.json:
            print(json.dumps(asdict(study)))
        else:
            print(f"{study.date or 'no date   '}  {study.modalities:<6} {study.patient_id:<16} {study.uid}")
    return 0


def _retrieve(options: argparse.Namespace) -> int:
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO

    from lung_models.pacs.dicomweb import Pacs
    from lung_models.pacs.settings import endpoint

    options.out.mkdir(parents=True, exist_ok=True)
    for content in Pacs(endpoint(options.endpoint)).retrieve(options.study):
        uid = str(dcmread(DicomBytesIO(content), stop_before_pixels=True).SOPInstanceUID)
        path = options.out / f"{uid}.dcm"
        path.write_bytes(content)
        print(json.dumps({"path": str(path), "uid": uid}) if options.json else path, flush=True)
    return 0


def _store(options: argparse.Namespace) -> int:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    from lung_models.pacs.dicomweb import Pacs
    from lung_models.pacs.settings import endpoint

    datasets = []
    for path in options.files:
        try:
            datasets.append(dcmread(path))
        except InvalidDicomError:
            raise ValueError(f"{path} is not a DICOM file: only those can be stored.") from None
    Pacs(endpoint(options.endpoint)).store(datasets)
    for path, dataset in zip(options.files, datasets, strict=True):
        uid = str(dataset.SOPInstanceUID)
        print(json.dumps({"path": str(path), "uid": uid, "stored": True}) if options.json else f"Stored {path}.")
    return 0
