"""The recipes that made the shipped weights: every number that matters, and what is done with them, in order."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lung_models import evaluate, heatmap
from lung_models.anatomy import GEOMETRY
from lung_models.findings import KEYS
from lung_models.networks import ORGAN_DECODER_CHANNELS, FindingsNet, OrganNet, SevenLayerCNN, load_imagenet
from lung_models.training import cards
from lung_models.training.findings import finer_subset, train_features
from lung_models.training.head import FittedHead, fit_head
from lung_models.training.labelled_set import (
    AUXILIARY_LABELS,
    Progress,
    fingerprint,
    load_findings,
    load_organs,
    read_images,
    silent,
)
from lung_models.training.organs import train_organ_net
from lung_models.training.presentation import fit_presentation
from lung_models.training.trainer import Callback, Settings
from lung_models.weights import Card, WeightStore, as_kept

HEAT_QUANTILE = 0.95  # of the heat of findings called present on val: shown as full scale
PRESENTATION_RADIOGRAPHS = 700  # NIH radiographs added to those with outlines when the gate is taught


@dataclass(frozen=True)
class Stage:
    """One training run of a classifier's features.

    Args:
        size: Side of the network's input, in pixels.
        finer: Train on the subset that holds detail, see :func:`finer_subset`, instead of everything.
        settings: How.
    """

    size: int
    finer: bool
    settings: Settings


@dataclass(frozen=True)
class FindingsRecipe:
    """How a classifier is made.

    Args:
        name: Name of the recipe, as ``--recipe`` takes it.
        version: Name of the version it makes.
        network: Builds the network for a number of outputs.
        pretrained: Start from ImageNet weights.
        stages: One after the other, each starting from the averaged weights of the one before.
        summary: One sentence for the card.
    """

    name: str
    version: str
    network: Callable[[int], nn.Module]
    pretrained: bool
    stages: tuple[Stage, ...]
    summary: str


@dataclass(frozen=True)
class OrgansRecipe:
    """How an OrganNet is made.

    Args:
        name: Name of the recipe, as ``--recipe`` takes it.
        version: Name of the version it makes.
        size: Side of the network's input, in pixels.
        settings: How its outlines are trained.
        summary: One sentence for the card.
    """

    name: str
    version: str
    size: int
    settings: Settings
    summary: str


_FINDINGS = (
    FindingsRecipe(
        name="lite0",
        version="efficientnet-lite0-1",
        network=FindingsNet,
        pretrained=True,
        stages=(
            Stage(128, False, Settings(epochs=5, batch_size=16, learning_rate=3e-4, seed=1)),
            Stage(224, True, Settings(epochs=4, batch_size=16, learning_rate=3e-4, seed=1)),
        ),
        summary="EfficientNet-Lite0 from ImageNet, text-mined labels with the stratum's prior taken out, 128 then 224 "
        "pixels; its head, with the geometry of the organs, is fitted to radiologists' labels.",
    ),
    FindingsRecipe(
        name="seven-layer",
        version="seven-layer-1",
        network=SevenLayerCNN,
        pretrained=False,
        stages=(Stage(128, False, Settings(epochs=6, batch_size=32, learning_rate=2e-3, seed=1, precision="bf16")),),
        summary="The baseline: a seven-layer network from random weights, trained and calibrated the same way.",
    ),
)
_ORGANS = (
    OrgansRecipe(
        name="lite0",
        version="unet-lite0-1",
        size=256,
        settings=Settings(epochs=14, batch_size=16, learning_rate=1e-3, seed=1, precision="bf16"),
        summary="U-Net on EfficientNet-Lite0 from ImageNet, trained on four fifths of three collections, with the "
        "organs that were not drawn left out of the loss.",
    ),
)
FINDINGS_RECIPES = {recipe.name: recipe for recipe in _FINDINGS}
ORGANS_RECIPES = {recipe.name: recipe for recipe in _ORGANS}


@dataclass(frozen=True)
class Run:
    """What every recipe needs to know of the run.

    Args:
        data: Folder in the layout of shared/data.
        store: Where the version is written; its active organ network measures the geometry for findings.
        checkpoints: Folder for training state, kept outside the store.
        progress: Told of work outside the training loop.
        callbacks: Told after every batch.
        should_stop: Asked at every batch.
    """

    data: Path
    store: WeightStore
    checkpoints: Path
    progress: Progress = silent
    callbacks: Sequence[Callback] = ()
    should_stop: Callable[[], bool] = lambda: False


def make_findings(recipe: FindingsRecipe, run: Run) -> Card:
    """Train features, fit the head on val, score it by cross-validation, write the version."""
    how = _how(recipe)
    run.store.check_free("findings", recipe.version)
    organs_card = run.store.card("organs")
    organ_net = run.store.load(organs_card)
    network = as_kept(_train_stages(recipe, run))
    size = recipe.stages[-1].size
    labelled = load_findings(run.data, "val")
    data = evaluate.frozen_features(
        network, size, organ_net, organs_card.input_size, labelled, run.progress, framed=False
    )
    figures = evaluate.findings_figures(evaluate.cross_validated(data))
    head = fit_head(data)
    final = recipe.network(len(KEYS))
    final.load_state_dict({**network.state_dict(), **_head_state(head)})
    final = as_kept(final)
    used = [
        *cards.used(load_findings(run.data, "train").source, "features, text-mined and measured labels"),
        *cards.used(np.full(len(labelled), "radiologists"), "head, calibration and operating points"),
    ]
    card = {
        **cards.card(recipe.summary, size, figures, how, used, cards.FINDINGS_LIMITS),
        "calibration": head.calibration.to_json(),
        "geometry": {
            "quantities": list(GEOMETRY),
            "organs_version": organs_card.version,
            "organs_sha256": organs_card.stamp.sha256,
        },
        "heat_scale": _heat_scale(final.eval(), head, read_images(labelled.paths, size), data.geometry),
        "head_fitted_on": {
            "images": len(labelled),
            "fingerprint": fingerprint(labelled.paths, labelled.labels),
            "statement": f"The head is fitted on all {len(labelled)} radiographs of val; the figures come from heads "
            "fitted anew on four fifths of its patients and applied to the other fifth. How strongly the head and the "
            "stack are regularised was chosen on val too.",
        },
    }
    return run.store.save("findings", recipe.version, final, card)


def make_organs(recipe: OrgansRecipe, run: Run) -> Card:
    """Train outlines, teach the gate, score both on what was held out, write the version."""
    how = _how(recipe)
    run.store.check_free("organs", recipe.version)
    labelled = load_organs(run.data)
    held_out = labelled.held_out()
    trained = train_organ_net(
        labelled.subset(~held_out),
        recipe.size,
        ORGAN_DECODER_CHANNELS,
        recipe.settings,
        run.checkpoints / recipe.version,
        progress=run.progress,
        callbacks=run.callbacks,
        should_stop=run.should_stop,
    )
    network = OrganNet().eval()
    network.load_state_dict(trained.state_dict())
    network = as_kept(network)
    figures = evaluate.organs_figures(network, recipe.size, labelled.subset(held_out), run.progress)
    upright, from_nih = _upright(recipe, run)
    limit = fit_presentation(network, upright, recipe.settings.seed, run.progress)
    used = [
        *cards.used(labelled.source[~held_out], "outlines and gate"),
        *cards.used(np.full(from_nih, "nih"), "gate"),
    ]
    card = {
        **cards.card(recipe.summary, recipe.size, figures, how, used, cards.ORGANS_LIMITS),
        "gate": {"distance_limit": limit},
    }
    return run.store.save("organs", recipe.version, network, card, full=("presentation", "typical", "whitening"))


def _train_stages(recipe: FindingsRecipe, run: Run) -> nn.Module:
    labelled = load_findings(run.data, "train")
    torch.manual_seed(recipe.stages[0].settings.seed)
    network = recipe.network(len(KEYS) + len(AUXILIARY_LABELS))
    if recipe.pretrained and isinstance(network, FindingsNet):
        load_imagenet(network)
    for number, stage in enumerate(recipe.stages, start=1):
        network = train_features(
            network,
            finer_subset(labelled, stage.settings.seed) if stage.finer else labelled,
            stage.size,
            stage.settings,
            run.checkpoints / recipe.version / f"stage-{number}",
            progress=run.progress,
            callbacks=run.callbacks,
            should_stop=run.should_stop,
        )
    return network


def _head_state(head: FittedHead) -> dict[str, torch.Tensor]:
    return {"head.weight": torch.from_numpy(head.weight), "head.bias": torch.from_numpy(head.bias)}


@torch.inference_mode()
def _heat_scale(network: nn.Module, head: FittedHead, images: np.ndarray, geometry: np.ndarray) -> float:
    """The heat that is shown as full scale: a high quantile over findings called present on val."""
    heats = []
    for image, measured in zip(images, geometry, strict=True):
        _, features = network(torch.from_numpy(image[None]).float() / 255.0)
        probability = head.probabilities(features.mean(dim=(2, 3)).numpy(), measured[None])[0]
        heat = heatmap.closed_form(features[0].numpy(), head.weight)
        present = [p >= head.calibration.findings[key].high for key, p in zip(KEYS, probability, strict=True)]
        heats.append(heat[present].ravel())
    return float(np.quantile(np.concatenate(heats), HEAT_QUANTILE))


def _upright(recipe: OrgansRecipe, run: Run) -> tuple[np.ndarray, int]:
    """Radiographs that the gate is taught on, and how many of them are NIH's: those trained with outlines, and some
    of NIH's, of both views.
    """
    labelled = load_organs(run.data)
    drawn = labelled.subset(~labelled.held_out()).paths
    mined = load_findings(run.data, "train")
    large = np.flatnonzero((mined.stored_width >= 128) & (mined.source == "nih"))
    chosen = np.random.default_rng(recipe.settings.seed).permutation(large)[:PRESENTATION_RADIOGRAPHS]
    return read_images([*drawn, *mined.subset(chosen).paths], recipe.size, run.progress), len(chosen)


def _how(recipe: FindingsRecipe | OrgansRecipe) -> dict[str, Any]:
    """Recipe, commit and date, for the card."""
    described = {key: value for key, value in asdict(recipe).items() if key not in ("network", "summary", "version")}
    settings = recipe.settings if isinstance(recipe, OrgansRecipe) else recipe.stages[0].settings
    return {
        "recipe": {**described, "seed": settings.seed},
        "git_commit": _commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str | None:
    """The commit that runs, marked when the code differs from it; None outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
