"""The pipeline on real radiographs with the shipped models."""

import gc
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from lung_models import anatomy
from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.networks import OrganNet
from lung_models.preprocess import VIEWS, WHOLE, Frame, network_input
from lung_models.radiograph import Refusal
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.weights import DEFAULT_ROOT, NoWeights, WeightStore
from tests.conftest import sample_file

EQUAL = 1e-4
"""Probabilities of one input, run alone or in a batch, differ by no more."""
READINGS = 100
GROWTH_LIMIT = 24 * 1024 * 1024
"""Bytes that a hundred readings may add: far less than a hundred pictures, a little more than an allocator's slack."""


@pytest.fixture(scope="module")
def reading(reader: Reader, chest_file: Path) -> Reading:
    return reader.read(decode(chest_file.read_bytes(), chest_file.name))


def test_six_findings_in_order(reading: Reading) -> None:
    assert tuple(one.key for one in reading.findings) == KEYS
    for one in reading.findings:
        assert 0.0 <= one.probability <= 1.0
        assert one.band[0] <= one.threshold <= one.band[1]
        assert one.heat.dtype == np.float32 and one.heat.min() >= 0.0 and one.heat.max() <= 1.0
    assert reading.primary == max(reading.findings, key=lambda one: one.probability).key


def test_anatomy_is_plausible(reading: Reading) -> None:
    measured = reading.anatomy
    assert measured is not None and measured.cardiothoracic_ratio is not None
    assert 0.3 < measured.cardiothoracic_ratio < 0.7
    masks = measured.masks(reading.radiograph.height, reading.radiograph.width)
    columns = [np.nonzero(mask)[1].mean() for mask in masks]
    assert columns[0] < columns[2] < columns[1], "right lung on the image's left, heart between the lungs"


@pytest.mark.parametrize("pair", [("RG1_UNCR.dcm", "RG1_J2KR.dcm"), ("RG1_UNCI.dcm", "RG1_J2KI.dcm")])
def test_two_encodings_of_the_same_pixels_agree(reader: Reader, pair: tuple[str, str]) -> None:
    """R is the original and its reversible compression, I the irreversible compression and what it decodes to."""
    one, other = (reader.read(decode(sample_file(name).read_bytes(), name)) for name in pair)
    for first, second in zip(one.findings, other.findings, strict=True):
        assert first.probability == pytest.approx(second.probability, abs=1e-4)


def test_a_reading_cannot_be_changed(reading: Reading) -> None:
    with pytest.raises(FrozenInstanceError):
        reading.accepted = False  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        reading.radiograph.pixels[0, 0] = 1.0


def test_a_reading_names_the_models_that_made_it(reader: Reader, reading: Reading) -> None:
    assert reading.models["findings"] == reader.findings_card.stamp
    assert reading.models["organs"] == reader.organs_card.stamp
    assert set(reading.milliseconds) == {"decode", "organs", "findings", "total"}


def test_a_reading_says_which_heat_maps_held_on_validation(reader: Reader, chest_file: Path) -> None:
    answers = [(True, True), (False, True), (True, False), (None, None)]
    rows = [
        {"finding": key, "better_than_blob": blob, "better_than_random": random}
        for key, (blob, random) in zip(KEYS, answers, strict=False)
    ]
    card = reader.findings_card
    untested = {name: value for name, value in card.data.items() if name != "where_it_looked"}
    tested = {**untested, "where_it_looked": {"protocol": "", "findings": rows}}

    def read_with(data: dict[str, Any]) -> Reading:
        radiograph = decode(chest_file.read_bytes(), "chest")
        return replace(reader, findings_card=replace(card, data=data)).read(radiograph)

    reading = read_with(tested)
    assert reading.heat_tested
    assert [one.heat_checked for one in reading.findings] == [True, False, False, None, None, None]
    reading = read_with(untested)
    assert not reading.heat_tested and all(one.heat_checked is None for one in reading.findings)


@pytest.fixture(scope="module")
def averaged(reader: Reader, chest_file: Path) -> Reading:
    return reader.read(decode(chest_file.read_bytes(), chest_file.name), averaged=True)


def test_averaged_over_views_a_probability_lies_within_its_spread(reading: Reading, averaged: Reading) -> None:
    assert (reading.averaged, averaged.averaged) == (False, True) and averaged.views == VIEWS
    assert all(one.spread is None for one in reading.findings)
    for one, single in zip(averaged.findings, reading.findings, strict=True):
        assert one.spread is not None
        low, high = one.spread
        assert 0.0 <= low <= one.probability <= high <= 1.0
        assert low - EQUAL <= single.probability <= high + EQUAL, "the unchanged view is one of them"
    assert averaged.primary == max(averaged.findings, key=lambda one: one.probability).key


def test_averaged_the_heat_and_the_anatomy_are_those_of_the_unchanged_view(reading: Reading, averaged: Reading) -> None:
    for one, single in zip(averaged.findings, reading.findings, strict=True):
        np.testing.assert_allclose(one.heat, single.heat, atol=1e-4)
    assert averaged.anatomy is not None and reading.anatomy is not None
    np.testing.assert_array_equal(anatomy.geometry(averaged.anatomy), anatomy.geometry(reading.anatomy))


@pytest.mark.parametrize("framing", ["whole", "organs"])
def test_an_average_is_that_of_ten_single_reads(framing: str, reader: Reader, chest_file: Path) -> None:
    """The ten inputs are made and scored here one by one, without the reader's own averaging."""
    card = reader.findings_card
    framed = replace(reader, findings_card=replace(card, data={**card.data, "framing": framing}))
    radiograph = decode(chest_file.read_bytes(), chest_file.name)
    averaged = framed.read(radiograph, averaged=True)
    assert averaged.anatomy is not None
    frame = anatomy.frame(averaged.anatomy) if framing == "organs" else WHOLE
    wide, tall = frame.right - frame.left, frame.bottom - frame.top
    single = []
    for across, down in ((0, 0), (-0.02, 0), (0.02, 0), (0, -0.02), (0, 0.02)):
        x, y = across * wide, down * tall
        inside = np.clip((frame.left + x, frame.top + y, frame.right + x, frame.bottom + y), 0.0, 1.0)
        moved = Frame(*(float(edge) for edge in inside))
        image = network_input(radiograph.pixels, card.input_size, moved)[np.newaxis]
        for view in (image, np.flip(image, axis=3)):
            logits, _ = reader.findings_net.run(view)
            single.append(reader.calibration.probabilities(logits, anatomy.geometry(averaged.anatomy)[np.newaxis])[0])
    for index, one in enumerate(averaged.findings):
        seen = np.array(single)[:, index]
        assert one.probability == pytest.approx(seen.mean(), abs=EQUAL)
        assert one.spread == pytest.approx((seen.min(), seen.max()), abs=EQUAL)
        assert one.call == reader.calibration.findings[one.key].call(one.probability)


def test_averaging_scores_nothing_that_is_refused(reader: Reader, leg_file: Path) -> None:
    radiograph = decode(leg_file.read_bytes(), leg_file.name)
    refused, single = reader.read(radiograph, averaged=True), reader.read(radiograph)
    assert not refused.accepted and refused.findings == () and not refused.averaged
    assert refused.reason == single.reason


def test_threads_may_read_averaged_and_single_at_once(
    reader: Reader, reading: Reading, averaged: Reading, chest_file: Path
) -> None:
    radiograph = decode(chest_file.read_bytes(), chest_file.name)
    modes = [True, False, True, False, True, False]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda mode: reader.read(radiograph, averaged=mode), modes))
    for mode, result in zip(modes, results, strict=True):
        assert result.averaged is mode
        for one, expected in zip(result.findings, (averaged if mode else reading).findings, strict=True):
            assert one.probability == pytest.approx(expected.probability, abs=EQUAL)
            assert one.spread == (expected.spread and pytest.approx(expected.spread, abs=EQUAL))


def test_memory_stays_flat_over_a_hundred_readings(reader: Reader, chest_file: Path) -> None:
    data = chest_file.read_bytes()
    process = psutil.Process()

    def read_once() -> None:
        reader.read(decode(data, "chest.dcm"))

    for _ in range(10):
        read_once()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(READINGS):
        read_once()
    gc.collect()
    assert process.memory_info().rss - before < GROWTH_LIMIT


@pytest.mark.parametrize("number, organs_number", [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_the_baseline_reads_like_any_other_version(number: int, organs_number: int, chest_file: Path) -> None:
    version = f"seven-layer-{number}"
    reader = Reader.load(device="cpu", findings_version=version)
    reading = reader.read(decode(chest_file.read_bytes(), chest_file.name))
    assert reading.accepted and reading.models["findings"].version == version
    assert reading.models["findings"].architecture == "SevenLayerCNN"
    assert len(reading.findings) == 6
    assert reading.models["organs"].version == f"unet-lite0-{organs_number}", (
        "it brings the organ model it was calibrated with"
    )


def test_a_head_is_not_used_with_another_organ_model(tmp_path: Path) -> None:
    """Its probabilities rest on that model's geometry; with another they would shift unnoticed."""
    shutil.copytree(DEFAULT_ROOT, tmp_path / "weights")
    store = WeightStore(tmp_path / "weights")
    card = {key: value for key, value in store.card("organs").data.items() if key not in ("version", "sha256")}
    other = store.save("organs", "another", OrganNet(), card)
    store.activate("organs", other.version)
    with pytest.raises(NoWeights, match="calibrated with another organ model"):
        Reader.load(store.root, device="cpu")


def test_an_output_that_is_not_a_number_gives_no_score(reader: Reader, chest_file: Path) -> None:
    class Overflowed:
        device = "a processor that overflows"

        def run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
            return tuple(np.full_like(output, np.nan) for output in reader.findings_net.run(images))

    with pytest.raises(Refusal, match="not a number"):
        replace(reader, findings_net=Overflowed()).read(decode(chest_file.read_bytes(), "chest"))
