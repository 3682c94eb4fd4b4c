"""The gate's figures: what they count, and that the shipped gate holds on pictures that did not teach it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from lung_models.decode import decode
from lung_models.evaluate import other_pictures as others
from lung_models.evaluate.gate import TURNED, gate_of
from lung_models.figures import share
from lung_models.gate import MIRRORED, REASONS, Verdict
from lung_models.radiograph import Radiograph
from lung_models.training.labelled_set import load_findings, load_organs
from lung_models.weights import WeightStore

Judge = Callable[[np.ndarray], Verdict]
SAMPLE = 40


@pytest.fixture(scope="module")
def judge() -> Judge:
    store = WeightStore()
    gate = gate_of(store, store.card("organs"))
    return lambda pixels: gate.judge(Radiograph(np.ascontiguousarray(pixels, np.float32), "picture", "raster"))


@pytest.fixture(scope="module")
def upright(shared_data: Path) -> list[np.ndarray]:
    """Forty radiographs of val, which teach the gate nothing."""
    paths = load_findings(shared_data, "val").paths
    chosen = np.random.default_rng(0).permutation(len(paths))[:SAMPLE]
    return [decode(paths[i].read_bytes(), paths[i].name).pixels for i in chosen]


def part_refused(judge: Judge, pictures: Iterable[np.ndarray]) -> float:
    return float(np.mean([judge(picture).reason is not None for picture in pictures]))


def test_a_share_without_failures_has_an_interval_all_the_same() -> None:
    (figure,) = share("Refused", "noise", [True] * 100, "")
    assert figure.value == 1.0 and figure.high == 1.0 and figure.n == 100
    assert figure.low == pytest.approx(0.9630, abs=1e-4), "Wilson's interval: 100 / (100 + 1.96 ** 2)"


def test_a_share_of_nothing_is_left_out() -> None:
    assert share("Refused", "photographs", [], "") == []


def test_the_chest_radiograph_is_not_among_the_other_dicom_files() -> None:
    names = {path.name for path in others.dicom_files()}
    assert "RG3_UNCR.dcm" in names and not any(name.startswith("RG1") for name in names)


def test_pictures_are_grey_and_within_range() -> None:
    makers = (others.noise(1), others.texts(1), others.shapes(1), others.photographs(), others.dicom_pictures())
    for pictures in map(list, makers):
        assert len(pictures) > 30
        for picture in pictures[:40]:
            assert picture.ndim == 2 and picture.dtype == np.float32
            assert picture.min() >= 0.0 and picture.max() <= 1.0


def test_a_third_is_a_third() -> None:
    parts = dict(others.thirds(np.zeros((300, 240), np.float32), 0))
    for name in ("the central third of the area", "any third of the area", "an upright strip", "a lying strip"):
        assert parts[name].size / (300 * 240) == pytest.approx(1 / 3, rel=0.03), name
    assert parts["a third of either side"].shape == (100, 80)


@pytest.mark.parametrize("kind", ["noise", "texts", "shapes"])
def test_drawn_pictures_are_refused(judge: Judge, kind: str) -> None:
    pictures = list(getattr(others, kind)(99))[:: others.DRAWN // SAMPLE]
    assert part_refused(judge, pictures) >= 0.95


def test_photographs_are_refused(judge: Judge) -> None:
    assert part_refused(judge, others.photographs()[::5]) >= 0.95


def test_other_pictures_in_dicom_files_are_refused(judge: Judge) -> None:
    assert part_refused(judge, others.dicom_pictures()) >= 0.95


def test_upright_radiographs_are_accepted_and_not_called_mirrored(judge: Judge, upright: list[np.ndarray]) -> None:
    verdicts = [judge(pixels) for pixels in upright]
    accepted = [verdict.anatomy for verdict in verdicts if verdict.reason is None and verdict.anatomy is not None]
    assert len(accepted) >= 0.95 * SAMPLE, [verdict.reason for verdict in verdicts if verdict.reason]
    assert sum(MIRRORED in anatomy.flags for anatomy in accepted) <= 0.05 * SAMPLE


def test_radiographs_of_each_collection_are_accepted(judge: Judge, shared_data: Path) -> None:
    labelled = load_organs(shared_data)
    for source in sorted(set(labelled.source)):
        paths = [labelled.paths[i] for i in np.flatnonzero(labelled.source == source)[::7][: SAMPLE // 2]]
        assert part_refused(judge, (decode(path.read_bytes(), path.name).pixels for path in paths)) <= 0.05, source


@pytest.mark.parametrize("name", TURNED)
def test_turned_and_inverted_radiographs_are_named(judge: Judge, upright: list[np.ndarray], name: str) -> None:
    reasons = [judge(TURNED[name](pixels)).reason for pixels in upright]
    assert all(reason is not None for reason in reasons)
    assert sum(reason == REASONS[name] for reason in reasons) >= 0.95 * SAMPLE


def test_mirrored_radiographs_are_mostly_flagged(judge: Judge, upright: list[np.ndarray]) -> None:
    verdicts = [judge(pixels[:, ::-1]) for pixels in upright]
    assert (
        sum(verdict.anatomy is not None and MIRRORED in verdict.anatomy.flags for verdict in verdicts) >= 0.8 * SAMPLE
    )


@pytest.mark.parametrize("name", ["the central third of the area", "any third of the area", "a third of either side"])
def test_a_third_of_a_radiograph_is_refused(judge: Judge, upright: list[np.ndarray], name: str) -> None:
    assert part_refused(judge, (dict(others.thirds(pixels, 1))[name] for pixels in upright)) >= 0.9
