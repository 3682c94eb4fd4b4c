"""What outlines are scored by: also where a drawing does not keep to its own rule, and by the films trained on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lung_models.decode import decode
from lung_models.evaluate.organs import (
    FOLLOWED,
    OutlineScore,
    drawn_by_hand,
    followed_figures,
    organs_figures,
    score_outline,
)
from lung_models.reading import ORGANS
from lung_models.training.organs import outline_one
from lung_models.weights import WeightStore
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def scores(chest_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[OutlineScore]:
    """A real film against its own outlines: as outlined, then with the lungs drawn over the heart too."""
    store = WeightStore(ROOT / "weights")
    card = store.card("organs")
    radiograph = decode(chest_file.read_bytes(), chest_file.name)
    measured = outline_one(store.load(card), card.input_size, radiograph)
    organs = measured.organ_probability >= 0.5
    over_heart = np.stack([organs[0], organs[1] | organs[2], organs[2]])
    scores = []
    for name, drawn in (("kept", organs), ("broken", over_heart)):
        folder = tmp_path_factory.mktemp(name)
        files = {organ: folder / f"{organ}.png" for organ in ORGANS}
        for organ, mask in zip(ORGANS, drawn, strict=True):
            cv2.imwrite(str(files[organ]), np.where(mask, 255, 0).astype(np.uint8))
        scores.append(score_outline(name, radiograph, measured, *drawn_by_hand(files)))
    return scores


def test_lungs_drawn_over_the_heart_are_scored_both_ways(scores: list[OutlineScore]) -> None:
    kept, broken = scores
    assert kept.dice["lungs"] > 0.99 and kept.less_heart is not None and kept.less_heart > 0.97
    assert broken.dice["lungs"] < 0.95
    assert broken.less_heart == pytest.approx(kept.less_heart)
    rows = {(one.name, one.group): one.value for one in organs_figures(scores, "a protocol")}
    assert rows["Dice", "lungs, broken"] < rows["Lungs less the drawn heart, Dice", "lungs, broken"]


def test_a_heart_that_is_not_drawn_is_not_taken_out(scores: list[OutlineScore]) -> None:
    bare = OutlineScore("bare", {"lungs": 0.9}, None, None, False, 0)
    names = {one.name for one in organs_figures([bare], "a protocol")}
    assert "Dice" in names
    assert not any("less the drawn heart" in name for name in names)


def test_films_trained_on_are_called_so(scores: list[OutlineScore]) -> None:
    figures = followed_figures(scores)
    assert {one.protocol for one in figures} == {FOLLOWED}
    assert {one.name for one in figures} == {"Films trained on, Dice", "Films trained on, Dice, 5th percentile"}
    assert {one.group for one in figures} >= {"lungs, kept", "heart, broken", "lungs, all sources"}
