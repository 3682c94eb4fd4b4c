"""Figures, each with its n and its 95 % interval: every number on a card comes from here."""

from pathlib import Path

from lung_models.calibration import Calibration
from lung_models.evaluate.findings import as_shipped, cross_validated, findings_figures, frozen_features
from lung_models.evaluate.organs import organs_figures
from lung_models.figures import Figure
from lung_models.training.labelled_set import Progress, fingerprint, load_findings, load_organs, silent
from lung_models.weights import Card, WeightStore


def evaluate_version(store: WeightStore, card: Card, data: Path, progress: Progress = silent) -> list[Figure]:
    """All figures of a version on labelled radiographs in the layout of shared/data."""
    network = store.load(card)
    if card.network == "organs":
        outlined = load_organs(data)
        return organs_figures(network, card.input_size, outlined.subset(outlined.held_out()), progress)
    organs_card = store.card("organs", card.data["geometry"]["organs_version"])
    organ_net = store.load(organs_card)
    labelled = load_findings(data, "val")
    features = frozen_features(
        network, card.input_size, organ_net, organs_card.input_size, labelled, progress, framed=card.looks_at_organs
    )
    if fingerprint(labelled.paths, labelled.labels) == card.data["head_fitted_on"]["fingerprint"]:
        return findings_figures(cross_validated(features))
    return findings_figures(as_shipped(network, Calibration.from_json(card.data["calibration"]), features))
