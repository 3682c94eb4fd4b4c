"""Cooking a recipe: training, fitting, scoring, and the version that comes of it with its card."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from lung_models import anatomy, evaluate, heatmap
from lung_models.evaluate.findings import seen
from lung_models.findings import KEYS
from lung_models.networks import FindingsNet, OrganNet, load_imagenet
from lung_models.preprocess import Frame
from lung_models.training import cards
from lung_models.training.findings import finer_subset, pooled_features, train_features
from lung_models.training.head import Design, FittedHead, LabelledFeatures, Linear, fit_head, linear_of
from lung_models.training.labelled_set import (
    AUXILIARY_LABELS,
    REREAD_LABELS,
    FindingsSet,
    OrgansSet,
    Progress,
    fingerprint,
    load_findings,
    load_organs,
    read_images,
    silent,
)
from lung_models.training.mined import TEXT_MINED, fit_mined
from lung_models.training.organs import outline, train_organ_net
from lung_models.training.presentation import fit_presentation
from lung_models.training.recipes import FindingsRecipe, OrgansRecipe
from lung_models.training.trainer import Callback
from lung_models.weights import Card, WeightStore, as_kept

HEAT_QUANTILE = 0.95  # of the heat of findings called present on val: shown as full scale
PRESENTATION_RADIOGRAPHS = 300  # NIH radiographs added to those with outlines when the gate is taught
TRAINING_MARGIN = 0.12  # of the frames that features are learnt on; wider than the reader's, for crops make it vary


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
    """Train features, fit the head on val, score it by cross-validation, write the version with its evidence."""
    seed = recipe.stages[0].settings.seed if recipe.stages else 0
    how = _how(recipe, seed)
    run.store.check_free("findings", recipe.version)
    organs_card = run.store.card("organs")
    organ_net = run.store.load(organs_card)
    network, size = _features(recipe, run, organs_card)
    companions = {TEXT_MINED: _text_mined(recipe, network, size, run, seed)} if recipe.mined else {}
    design = Design(linear_of(companions[TEXT_MINED]) if companions else None, recipe.absence)
    labelled = load_findings(run.data, "val")
    images, geometry = seen(size, organ_net, organs_card.input_size, labelled, run.progress, framed=recipe.framed)
    data = LabelledFeatures(pooled_features(network, images), geometry, labelled.labels, labelled.patients)
    head = fit_head(data, design)
    final = recipe.network(len(KEYS))
    final.load_state_dict({**network.state_dict(), **head_state(head)})
    final = as_kept(final)
    used = [
        *cards.used(load_findings(run.data, "train").source, "features, text-mined and measured labels"),
        *cards.used(np.full(len(labelled), "radiologists"), "head, calibration and operating points"),
    ]
    card = {
        **cards.card(recipe.summary, size, [], how, used, cards.FINDINGS_LIMITS),
        "framing": "organs" if recipe.framed else "whole",
        "calibration": head.calibration.to_json(),
        "geometry": {
            "quantities": list(anatomy.GEOMETRY),
            "organs_version": organs_card.version,
            "organs_sha256": organs_card.stamp.sha256,
        },
        "heat_scale": heat_scale(final, head, images, geometry),
        "head_fitted_on": {
            "images": len(labelled),
            "fingerprint": fingerprint(labelled.paths, labelled.labels),
            "statement": f"The head is fitted on all {len(labelled)} radiographs of val; the figures come from heads "
            "fitted anew on four fifths of its patients and applied to the other fifth. What it is made of and how "
            "strongly it is regularised was chosen on val too."
            + (" A head fitted to text-mined labels of other patients is joined with it." if companions else ""),
        },
    }
    return _save_with_evidence(run, "findings", recipe.version, final, card, companions)


def make_organs(recipe: OrgansRecipe, run: Run) -> Card:
    """Train outlines, teach the gate, score both on what was held out, write the version."""
    how = _how(recipe, recipe.seed)
    run.store.check_free("organs", recipe.version)
    labelled = load_organs(run.data)
    companions = {}
    if recipe.leave_one_source_out:
        trained_on = np.ones(len(labelled), bool)
        for source in sorted(set(labelled.source)):
            without = labelled.subset(labelled.source != source)
            companions[f"without_{source}"] = _train_organs(recipe, without, run, f"without-{source}")
    else:
        trained_on = ~labelled.held_out()
    if recipe.base is None:
        network = _train_organs(recipe, labelled.subset(trained_on), run, "")
    else:
        network = cast(OrganNet, run.store.load(run.store.card("organs", recipe.base)))
    upright, from_nih = _upright(recipe, labelled.subset(trained_on), run)
    limit = fit_presentation(network, upright, recipe.seed, run.progress)
    used = [
        *cards.used(labelled.source[trained_on], "outlines and gate"),
        *cards.used(np.full(from_nih, "nih"), "gate"),
    ]
    card = {
        **cards.card(recipe.summary, recipe.size, [], how, used, cards.ORGANS_LIMITS),
        "options": {"decoder_channels": list(recipe.decoder_channels)},
        "gate": {"distance_limit": limit},
    }
    return _save_with_evidence(run, "organs", recipe.version, network, card, companions)


def _save_with_evidence(
    run: Run,
    network: str,
    version: str,
    model: nn.Module,
    card: dict[str, Any],
    companions: Mapping[str, nn.Module] | None = None,
) -> Card:
    """Score the version as it will be kept, through what ``evaluate`` runs, and write it with what was found.

    A draft in a temporary store is scored, for a version is never changed once written.
    """
    full = ("presentation", "typical", "whitening")
    with TemporaryDirectory() as folder:
        draft = WeightStore(Path(folder))
        if network == "findings":
            (draft.root / "organs").symlink_to((run.store.root / "organs").resolve())
        scored = draft.save(network, version, model, card, full, companions)
        evidence = evaluate.evidence(draft, scored, run.data, run.progress)
    return run.store.save(network, version, model, {**card, **evidence}, full, companions)


def _train_organs(recipe: OrgansRecipe, labelled: OrgansSet, run: Run, part: str) -> OrganNet:
    """One OrganNet, as it will be kept."""
    torch.manual_seed(recipe.seed)
    network = OrganNet(recipe.decoder_channels)
    load_imagenet(network)
    for number, stage in enumerate(recipe.stages, start=1):
        trained = train_organ_net(
            network,
            labelled.with_hearts_repeated(recipe.heart_repeats),
            stage.size,
            stage.settings,
            run.checkpoints / recipe.version / part / f"stage-{number}",
            veils=recipe.veils,
            progress=run.progress,
            callbacks=run.callbacks,
            should_stop=run.should_stop,
        )
        network.load_state_dict(trained.state_dict())
    return as_kept(network)


def _features(recipe: FindingsRecipe, run: Run, organs_card: Card) -> tuple[nn.Module, int]:
    """The network with trained features, as it will be kept, and the side of its input."""
    if not recipe.stages:
        base_card = run.store.card("findings", recipe.base)
        return run.store.load(base_card), base_card.input_size
    labelled = load_findings(run.data, "train")
    torch.manual_seed(recipe.stages[0].settings.seed)
    network = recipe.network(len(KEYS) + len(AUXILIARY_LABELS) + (len(REREAD_LABELS) if recipe.framed else 0))
    if recipe.base is not None:
        base = run.store.load(run.store.card("findings", recipe.base)).state_dict()
        kept = {name: value for name, value in base.items() if not name.startswith("head.")}
        network.load_state_dict(kept, strict=False)
    elif recipe.pretrained and isinstance(network, FindingsNet):
        load_imagenet(network)
    for number, stage in enumerate(recipe.stages, start=1):
        learnt = finer_subset(labelled, stage.settings.seed) if stage.finer else labelled
        network = train_features(
            network,
            learnt,
            stage.size,
            stage.settings,
            run.checkpoints / recipe.version / f"stage-{number}",
            frames=_frames(learnt, run, organs_card) if recipe.framed else None,
            progress=run.progress,
            callbacks=run.callbacks,
            should_stop=run.should_stop,
        )
    return as_kept(network), recipe.stages[-1].size


def _text_mined(recipe: FindingsRecipe, network: nn.Module, size: int, run: Run, seed: int) -> nn.Module:
    """The network with a head fitted to text-mined labels, as it will be kept beside the version."""
    labelled = finer_subset(load_findings(run.data, "train"), seed)
    if recipe.framed:
        organs_card = run.store.card("organs")
        organ_net = run.store.load(organs_card)
        images, _ = seen(size, organ_net, organs_card.input_size, labelled, run.progress, framed=True)
    else:
        images = read_images(labelled.paths, size, run.progress)
    head = fit_mined(pooled_features(network, images), labelled.labels, labelled.stratum)
    mined = recipe.network(len(KEYS))
    mined.load_state_dict({**network.state_dict(), **head_state(head)})
    return as_kept(mined)


def _frames(labelled: FindingsSet, run: Run, organs_card: Card) -> list[Frame]:
    """The frames that features are learnt on."""
    outlined = outline(run.store.load(organs_card), organs_card.input_size, labelled.paths, run.progress)
    return [anatomy.frame(measured, TRAINING_MARGIN) for _, measured in outlined]


def head_state(head: FittedHead | Linear) -> dict[str, torch.Tensor]:
    """A fitted head as the state of a classifier's."""
    return {"head.weight": torch.from_numpy(head.weight).float(), "head.bias": torch.from_numpy(head.bias).float()}


@torch.inference_mode()
def heat_scale(
    network: nn.Module, head: FittedHead, images: np.ndarray, geometry: np.ndarray, default: float | None = None
) -> float:
    """The heat that is shown as full scale: a high quantile over findings called present on some radiographs.

    Where none is called present it is the default.
    """
    heats = []
    for image, measured in zip(images, geometry, strict=True):
        _, features = network(torch.from_numpy(image[None]).float() / 255.0)
        probability = head.probabilities(features.mean(dim=(2, 3)).numpy(), measured[None])[0]
        heat = heatmap.closed_form(features[0].numpy(), head.weight)
        present = [p >= head.calibration.findings[key].high for key, p in zip(KEYS, probability, strict=True)]
        heats.append(heat[present].ravel())
    heat_of_present = np.concatenate(heats)
    if not heat_of_present.size and default is not None:
        return default
    return float(np.quantile(heat_of_present, HEAT_QUANTILE))


def _upright(recipe: OrgansRecipe, drawn: OrgansSet, run: Run) -> tuple[np.ndarray, int]:
    """Radiographs that the gate is taught on, and how many of them are NIH's: those trained with outlines, and some
    of NIH's, of both views.
    """
    mined = load_findings(run.data, "train")
    large = np.flatnonzero((mined.stored_width >= 128) & (mined.source == "nih"))
    chosen = np.random.default_rng(recipe.seed).permutation(large)[:PRESENTATION_RADIOGRAPHS]
    return read_images([*drawn.paths, *mined.subset(chosen).paths], recipe.size, run.progress), len(chosen)


def _how(recipe: FindingsRecipe | OrgansRecipe, seed: int) -> dict[str, Any]:
    """Recipe, commit and date, for the card."""
    described = {key: value for key, value in asdict(recipe).items() if key not in ("network", "summary", "version")}
    return {
        "recipe": {**described, "seed": seed},
        "git_commit": commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str | None:
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
