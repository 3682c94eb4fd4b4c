"""Which file is a radiograph, which its labels or masks: told from names and tables, before any picture is opened."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from lung_models.findings import BY_KEY, KEYS
from lung_models.intake.listing import LABEL_MAP, Entry, Kind, Listing, Problem
from lung_models.intake.vocabulary import (
    UnknownWord,
    completed,
    contradicts_itself,
    finding_of,
    is_other_label,
    labels_of,
    organ_of,
    plain,
    value_of,
)

FILE_COLUMNS = ("file", "filename", "image", "imageindex", "imageid", "path", "imagepath", "dicom")
PATIENT_COLUMNS = ("patientid", "patient", "subjectid", "subject", "pid")
LIST_COLUMNS = ("findinglabels", "labels", "label", "class", "finding", "findings", "diagnosis")
PART_COLUMNS = ("split", "part", "set")
PARTS = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation"}
PARTS |= {"test": "held_out", "testing": "held_out", "heldout": "held_out", "holdout": "held_out"}
NOT_PICTURES = (".csv", ".txt", ".md", ".json", ".xlsx", ".pdf", ".html", ".xml")
MASK_FOLDER, LABEL_MAP_FOLDERS = "masks", ("labels", "labelmaps", "masks")


def recognise(files: Sequence[str], text_of: Callable[[str], str], kind: Kind, *, folders_complete: bool) -> Listing:
    """Understand a set from its files' names and its tables.

    Args:
        files: Paths within the set, with forward slashes.
        text_of: Reads a table's text.
        kind: What it is to teach.
        folders_complete: Whether a class folder, or a single label, names all there is to see in its radiographs;
            else only that finding is known of them.

    Raises:
        ValueError: when nothing in it is understood; the text says what was looked for.
    """
    if kind == "organs":
        return _organs(files)
    tables = [file for file in files if file.lower().endswith(".csv")]
    for table in sorted(tables, key=lambda one: (PurePosixPath(one).name.lower() != "labels.csv", one)):
        rows = _rows(text_of(table))
        columns = _columns(rows)
        if columns is not None:
            return _from_table(files, table, rows, columns, folders_complete)
    if tables:
        raise ValueError(
            f"No table in the set was understood ({', '.join(tables[:3])}): it needs a column that names the files "
            f"(for example file or Image Index) and one for each finding, or one with a list of labels."
        )
    return _from_folders(files, folders_complete)


def _rows(text: str) -> list[dict[str, str]]:
    """A table's rows by column; none when it is not a table."""
    try:
        rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""))
        return [{name: value for name, value in row.items() if isinstance(value, str)} for row in rows]
    except csv.Error:
        return []


@dataclass(frozen=True)
class _Columns:
    file: str
    findings: dict[str, str]
    listed: str | None
    patient: str | None
    part: str | None


def _columns(rows: list[dict[str, str]]) -> _Columns | None:
    """Which column of a table is which; None when the table does not label files."""
    if not rows:
        return None
    names = [name for name in rows[0] if name]

    def first(wanted: Sequence[str]) -> str | None:
        return next((name for want in wanted for name in names if plain(name) == want), None)

    file = first(FILE_COLUMNS)
    findings = {name: key for name in names if (key := finding_of(name)) is not None}
    listed = None if findings else first(LIST_COLUMNS)
    if file is None or not (findings or listed):
        return None
    return _Columns(file, findings, listed, first(PATIENT_COLUMNS), first(PART_COLUMNS))


def _from_table(
    files: Sequence[str], table: str, rows: list[dict[str, str]], columns: _Columns, complete: bool
) -> Listing:
    """A table with one row a radiograph."""
    find = _finder(files, table)
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    mapping = {name: BY_KEY[key].name for name, key in columns.findings.items()}
    for row in rows:
        said = {name: (value or "").strip() for name, value in row.items() if name}
        name = said.get(columns.file, "")
        file = find(name)
        if file is None:
            problems.append(Problem(name or table, "The table names it, but it is not in the set."))
            continue
        try:
            labels = _row_labels(said, columns, complete, mapping)
        except UnknownWord as word:
            problems.append(Problem(file, f"Its label {word} is not known here, so it cannot be used."))
            continue
        if file in entries:
            problems.append(Problem(file, "The table names it twice: the first row counts."))
            continue
        patient = said.get(columns.patient or "") or _patient_in_path(name)
        part = PARTS.get(plain(said.get(columns.part or "", "")))
        entries[file] = Entry(file, labels, patient=patient or None, part=part)
    listed = {*entries, *(problem.file for problem in problems)}
    for file in files:
        if file not in listed and not file.lower().endswith(NOT_PICTURES):
            problems.append(Problem(file, "It has no label: the table does not name it."))
    kept, unlabelled = _with_labels(entries.values())
    words = f"Labels from {table}, {'one list of labels' if columns.listed else 'one column for each finding'}"
    return Listing("findings", words, tuple(mapping.items()), kept, (*problems, *unlabelled))


def _row_labels(said: dict[str, str], columns: _Columns, complete: bool, mapping: dict[str, str]) -> np.ndarray:
    """The labels of one row; words met for the first time are added to the mapping."""
    if columns.listed is None:
        labels = np.full(len(KEYS), np.nan, np.float32)
        for name, key in columns.findings.items():
            labels[KEYS.index(key)] = value_of(said.get(name, ""))
        return completed(labels)
    words = [word.strip() for word in re.split(r"[|;,]", said.get(columns.listed, "")) if word.strip()]
    if not words:
        return np.full(len(KEYS), np.nan, np.float32)
    # NIH's pipe-separated list names all that the report holds; a column of single labels need not.
    named = labels_of(words, complete=complete or plain(columns.listed) == "findinglabels")
    for word in words:
        mapping.setdefault(word, _ours(word))
    return named


def _from_folders(files: Sequence[str], complete: bool) -> Listing:
    """One folder for each class."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    mapping: dict[str, str] = {}
    for file in files:
        if file.lower().endswith(NOT_PICTURES):
            continue
        folder = PurePosixPath(file).parent.name
        if not folder:
            problems.append(Problem(file, "It has no label: it lies in no folder and no table names it."))
            continue
        try:
            labels = labels_of([folder], complete=complete)
        except UnknownWord:
            problems.append(Problem(file, f"Its label {folder} is not known here, so it cannot be used."))
            continue
        mapping.setdefault(folder, _ours(folder))
        entries.append(Entry(file, labels, patient=_patient_in_path(file)))
    if not mapping:
        raise ValueError(
            "No labels were found: give one folder for each class (Cardiomegaly, Effusion, Normal ...) or a "
            "labels.csv that names the files."
        )
    kept, unlabelled = _with_labels(entries)
    return Listing("findings", "One folder for each class", tuple(mapping.items()), kept, (*problems, *unlabelled))


def _with_labels(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], list[Problem]]:
    """The entries that say something usable of at least one finding, by path, and the others as problems."""
    kept: list[Entry] = []
    problems: list[Problem] = []
    for entry in sorted(entries, key=lambda one: one.file):
        if entry.labels is None or np.isnan(entry.labels).all():
            problems.append(Problem(entry.file, "It has no label: nothing is said of any of the six findings."))
        elif contradicts_itself(entry.labels):
            problems.append(Problem(entry.file, "Its labels contradict each other: a finding, and no finding at all."))
        else:
            kept.append(entry)
    return tuple(kept), problems


def _organs(files: Sequence[str]) -> Listing:
    """``images/`` beside ``masks/<organ>/``, or beside one folder of label maps."""
    masks: dict[str, dict[str, str]] = {}
    mapping: dict[str, str] = {}
    pictures: list[str] = []
    problems: list[Problem] = []
    for file in files:
        path = PurePosixPath(file)
        folder, above = path.parent.name, path.parent.parent.name
        if file.lower().endswith(NOT_PICTURES):
            continue
        if plain(above) == MASK_FOLDER:
            organ = organ_of(folder)
            mapping.setdefault(folder, organ.replace("_", " ") if organ else "not used")
            if organ is not None:
                masks.setdefault(path.stem, {})[organ] = file
        elif plain(folder) in LABEL_MAP_FOLDERS:
            mapping.setdefault(folder, "label maps: 1 right lung, 2 left lung, 3 heart")
            masks.setdefault(path.stem, {})[LABEL_MAP] = file
        else:
            pictures.append(file)
    if not masks:
        raise ValueError(
            "No masks were found: give images/ and masks/right_lung/, masks/left_lung/, masks/heart/ with files of "
            "the same names, or images/ and labels/ with one label map each (1 right lung, 2 left lung, 3 heart)."
        )
    entries = []
    for file in pictures:
        found = masks.pop(PurePosixPath(file).stem, {})
        if found:
            entries.append(Entry(file, masks=found, patient=_patient_in_path(file)))
        else:
            problems.append(Problem(file, "It has no label: there is no mask of its name."))
    for left in masks.values():
        problems += [Problem(file, "A mask without a radiograph of its name.") for file in left.values()]
    return Listing("organs", "Radiographs with masks", tuple(mapping.items()), tuple(entries), tuple(problems))


def _ours(word: str) -> str:
    """What a word is taken for, in words."""
    key = finding_of(word)
    if key is not None:
        return BY_KEY[key].name
    return "another abnormality: no label of the six" if is_other_label(word) else "not known"


def _finder(files: Sequence[str], table: str) -> Callable[[str], str | None]:
    """Looks a table's file up in the set: beside the table, then by the end of its path, then by its bare name."""
    known = set(files)
    folder = PurePosixPath(table).parent
    by_name: dict[str, list[str]] = {}
    for file in files:
        by_name.setdefault(PurePosixPath(file).name, []).append(file)

    def find(name: str) -> str | None:
        path = PurePosixPath(name.replace("\\", "/"))
        beside = str(folder / path)
        if beside in known:
            return beside
        candidates = by_name.get(path.name, [])
        if path.name and not path.suffix and not candidates:
            candidates = [file for file in files if PurePosixPath(file).stem == path.name]
        matching = [file for file in candidates if str(path).endswith(file) or file.endswith(str(path))]
        best = matching or candidates
        return best[0] if len(best) == 1 else None

    return find


def _patient_in_path(path: str) -> str | None:
    """The patient that CheXpert's paths name (``patient00001/study1/view1_frontal.jpg``)."""
    found = re.search(r"(?:^|/)(patient\d+)(?:/|$)", path.replace("\\", "/"), re.IGNORECASE)
    return found.group(1).lower() if found else None
