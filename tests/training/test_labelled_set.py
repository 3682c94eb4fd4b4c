"""Labelled sets: unknown stays unknown, patients stay on one side, priors say what the view alone would say."""

from pathlib import Path

import numpy as np
import pytest

from lung_models.findings import KEYS
from lung_models.training.findings import finer_subset
from lung_models.training.labelled_set import (
    load_findings,
    load_organs,
    prior_log_odds,
    read_images,
    read_masks,
)


def test_no_patient_is_on_both_sides(shared_data: Path) -> None:
    train, validation = load_findings(shared_data, "train"), load_findings(shared_data, "val")
    assert len(train) == 15416 and len(validation) == 382
    assert set(train.patients).isdisjoint(validation.patients)


def test_unknown_labels_are_not_negatives(shared_data: Path) -> None:
    train = load_findings(shared_data, "train")
    measured = train.source == "wingspan"
    effusion = train.labels[measured, KEYS.index("pleural_effusion")]
    assert measured.any() and np.isnan(effusion).all()
    assert not np.isnan(train.labels[measured, KEYS.index("cardiomegaly")]).any()


def test_the_finer_subset_holds_detail(shared_data: Path) -> None:
    chosen = finer_subset(load_findings(shared_data, "train"), seed=1)
    assert 4000 < len(chosen) < 5500 and chosen.stored_width.min() >= 128


def test_held_out_organs_are_a_fifth_of_every_source_and_always_the_same(shared_data: Path) -> None:
    labelled = load_organs(shared_data)
    held_out = labelled.held_out()
    for source in ("jsrt", "shenzhen", "wingspan"):
        share = held_out[labelled.source == source].mean()
        assert share == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(held_out, load_organs(shared_data).held_out())


def test_an_organ_that_was_not_drawn_is_unknown(shared_data: Path) -> None:
    labelled = load_organs(shared_data)
    chosen = labelled.subset(np.flatnonzero(labelled.source == "shenzhen")[:2])
    masks, known = read_masks(chosen.masks, 64)
    assert known[:, :2].all() and not known[:, 2].any()
    assert masks[:, 0].any() and not masks[:, 2].any()
    right, left = (np.nonzero(masks[0, side])[1].mean() for side in (0, 1))
    assert right < left, "the patient's right lung lies on the image's left"


def test_images_are_read_as_the_reader_reads_them(shared_data: Path) -> None:
    images = read_images(load_findings(shared_data, "val").paths[:2], 64)
    assert images.shape == (2, 1, 64, 64) and images.dtype == np.uint8
    assert 100 < np.median(images) < 156


def test_prior_log_odds_follow_the_stratum() -> None:
    targets = np.array([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0], [0.0], [np.nan]], np.float32)
    stratum = np.array(["AP"] * 4 + ["PA"] * 4)
    priors = prior_log_odds(targets, stratum, smoothing=1e-6)
    assert priors[0, 0] == pytest.approx(np.log(3), abs=1e-3)
    assert priors[4, 0] < -8 and np.isfinite(priors).all()


def test_a_set_without_mined_labels_has_unknown_ones(tmp_path: Path) -> None:
    folder = tmp_path / "classification"
    folder.mkdir()
    names = ["file", "source", "split", "patient_id", "view", "width", *KEYS, "nih_report_labels"]
    row = ["images/1.png", "own", "val", "7", "PA", "320", "1", "0", "", "0", "0", "0", ""]
    (folder / "labels.csv").write_text(f"{','.join(names)}\n{','.join(row)}\n")
    labelled = load_findings(tmp_path, "val")
    assert np.isnan(labelled.auxiliary).all() and np.isnan(labelled.reread).all()
    assert np.isnan(labelled.labels[0, KEYS.index("atelectasis")]) and labelled.labels[0, 0] == 1
