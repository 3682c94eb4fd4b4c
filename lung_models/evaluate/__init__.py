"""Figures, each with its n and its 95 % interval: every number on a card comes from here."""

from pathlib import Path
from typing import Any

from lung_models.calibration import Calibration
from lung_models.evaluate.conditions import CONDITIONS, condition_figures, score_conditions
from lung_models.evaluate.findings import as_shipped, cross_validated, findings_figures, frozen_features
from lung_models.evaluate.gate import gate_figures, gate_of
from lung_models.evaluate.heat import where_it_looked
from lung_models.evaluate.organs import (
    HELD_OUT,
    LEFT_OUT,
    OutlineScore,
    followed_figures,
    organs_figures,
    ratio_pairs,
    score_outlines,
)
from lung_models.evaluate.robustness import robustness_figures
from lung_models.figures import Figure
from lung_models.training.head import Design, linear_of
from lung_models.training.labelled_set import Progress, fingerprint, load_findings, load_organs, silent
from lung_models.training.mined import TEXT_MINED
from lung_models.weights import Card, WeightStore


def evidence(store: WeightStore, card: Card, data: Path, progress: Progress = silent) -> dict[str, Any]:
    """Everything that is measured of a version on labelled radiographs in the layout of shared/data.

    Returns:
        What a card holds of it: ``metrics``, figures as :meth:`lung_models.figures.Figure.to_json` writes them, and
        for organ models ``cardiothoracic_ratios``, by source pairs of the ratio drawn by hand and the one measured, for
        classifiers ``where_it_looked``, see :mod:`lung_models.evaluate.heat`.
    """
    if card.network == "organs":
        scores, in_conditions, protocol = _outline_scores(store, card, data, progress)
        figures = [
            *organs_figures(scores, protocol),
            *followed_figures(_followed(store, card, data, progress)),
            *condition_figures(in_conditions, protocol),
            *gate_figures(gate_of(store, card), data, progress),
        ]
        return {"metrics": _to_json(figures), "cardiothoracic_ratios": ratio_pairs(scores)}
    figures = _findings(store, card, data, progress)
    return {"metrics": _to_json(figures), "where_it_looked": where_it_looked(store, card, data, progress)}


def _to_json(figures: list[Figure]) -> list[dict[str, Any]]:
    return [figure.to_json() for figure in figures]


def _outline_scores(
    store: WeightStore, card: Card, data: Path, progress: Progress
) -> tuple[list[OutlineScore], dict[str, list[OutlineScore]], str]:
    """Every radiograph outlined by a network that never saw it: one trained without its source where the version has
    such companions, else the version itself on the fifth that its training left out.

    Returns:
        Scores of all of them as they are, scores of some in every condition, and the protocol.
    """
    outlined = load_organs(data)
    if not card.companions:
        outlined = outlined.subset(outlined.held_out())
    scores: list[OutlineScore] = []
    in_conditions: dict[str, list[OutlineScore]] = {name: [] for name in CONDITIONS}
    for source in sorted(set(outlined.source)):
        network = store.load(card, companion=f"without_{source}" if card.companions else None)
        unseen = outlined.subset(outlined.source == source)
        scores += score_outlines(network, card.input_size, unseen, progress)
        for name, some in score_conditions(network, card.input_size, unseen, progress).items():
            in_conditions[name] += some
    return scores, in_conditions, LEFT_OUT if card.companions else HELD_OUT


def _followed(store: WeightStore, card: Card, data: Path, progress: Progress) -> list[OutlineScore]:
    """The radiographs that a version was trained on, outlined by itself: those of versions that trained on all."""
    if not card.companions:
        return []
    return score_outlines(store.load(card), card.input_size, load_organs(data), progress)


def _findings(store: WeightStore, card: Card, data: Path, progress: Progress) -> list[Figure]:
    network = store.load(card)
    organs_card = store.card("organs", card.data["geometry"]["organs_version"])
    organ_net = store.load(organs_card)
    labelled = load_findings(data, "val")
    calibration = Calibration.from_json(card.data["calibration"])
    features = frozen_features(
        network, card.input_size, organ_net, organs_card.input_size, labelled, progress, framed=card.looks_at_organs
    )
    if fingerprint(labelled.paths, labelled.labels) == card.data["head_fitted_on"]["fingerprint"]:
        mined = linear_of(store.load(card, companion=TEXT_MINED)) if TEXT_MINED in card.companions else None
        design = Design(mined, absence=bool(calibration.absence_weights.any()))
        figures = findings_figures(cross_validated(features, design))
    else:
        figures = findings_figures(as_shipped(network, calibration, features))
    return [*figures, *robustness_figures(store, card, labelled, progress)]
