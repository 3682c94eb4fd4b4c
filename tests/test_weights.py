"""Versions on disk: written once, checked when loaded, pointed to by one file."""

import json
from pathlib import Path

import pytest
import torch

from lung_models.networks import SevenLayerCNN
from lung_models.reader import Reader
from lung_models.weights import NoWeights, WeightStore

CARD = {"input_size": 64, "created": "2026-01-01T00:00:00+00:00", "metrics": []}
CALIBRATED = {**CARD, "calibration": {"rule": "any"}}


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    torch.manual_seed(0)
    store = WeightStore(tmp_path)
    store.save("findings", "one", SevenLayerCNN(), dict(CALIBRATED))
    return store


def test_what_is_loaded_is_what_was_saved_to_half_precision(store: WeightStore) -> None:
    torch.manual_seed(0)
    saved, loaded = SevenLayerCNN().state_dict(), store.load(store.card("findings", "one")).state_dict()
    for name, value in saved.items():
        torch.testing.assert_close(loaded[name], value.half().float() if value.is_floating_point() else value)


def test_one_changed_byte_is_refused(store: WeightStore) -> None:
    path = store.root / "findings" / "one" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(NoWeights, match="not the ones on its card"):
        store.load(store.card("findings", "one"))


def test_a_missing_file_is_refused(store: WeightStore) -> None:
    (store.root / "findings" / "one" / "model.safetensors").unlink()
    with pytest.raises(NoWeights, match="missing"):
        store.load(store.card("findings", "one"))


def test_a_version_is_never_changed(store: WeightStore) -> None:
    before = (store.root / "findings" / "one" / "model.safetensors").read_bytes()
    with pytest.raises(FileExistsError):
        store.save("findings", "one", SevenLayerCNN(), dict(CARD))
    assert (store.root / "findings" / "one" / "model.safetensors").read_bytes() == before


def test_weights_of_another_network_are_refused(store: WeightStore) -> None:
    card_path = store.root / "findings" / "one" / "card.json"
    card = json.loads(card_path.read_text())
    card_path.write_text(json.dumps({**card, "architecture": "FindingsNet"}))
    with pytest.raises(NoWeights, match="do not fit"):
        store.load(store.card("findings", "one"))


def test_active_version(store: WeightStore) -> None:
    assert store.active("findings") is None
    store.activate("findings", "one")
    assert store.active("findings") == "one" and store.card("findings").version == "one"
    with pytest.raises(NoWeights, match="Known: one"):
        store.activate("findings", "two")
    assert store.active("findings") == "one"


def test_what_was_never_calibrated_is_never_made_active(store: WeightStore) -> None:
    store.activate("findings", "one")
    store.save("findings", "raw", SevenLayerCNN(), dict(CARD))
    with pytest.raises(NoWeights, match="raw was never calibrated"):
        store.activate("findings", "raw")
    assert store.active("findings") == "one"


def test_no_weights_no_score(tmp_path: Path) -> None:
    with pytest.raises(NoWeights, match="No findings model is active"):
        Reader.load(tmp_path)


@pytest.mark.parametrize("network", ["findings", "organs"])
def test_every_shipped_version_loads_and_says_what_it_is(network: str) -> None:
    shipped = WeightStore()
    cards = shipped.versions(network)
    assert shipped.active(network) in [card.version for card in cards]
    for card in cards:
        shipped.load(card)
        assert card.data["terms"] and card.data["intended_use"] and card.data["limits"] and card.data["training_data"]
        assert card.data["recipe"] and card.data["git_commit"]
        for figure in card.data["metrics"]:
            assert figure["low"] <= figure["value"] <= figure["high"] and figure["n"] > 0 and figure["protocol"]
