"""Fine-tuning from beginning to end: features, head or layers, calibration, before and after, a new version.

Only the part to learn from is learnt from, only the validation part calibrates and stops, and only the held-out part
is scored, once for the parent and once for the new version.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from lung_models.calibration import Calibration
from lung_models.findings import KEYS
from lung_models.preprocess import WHOLE
from lung_models.training import making
from lung_models.training.findings import pooled_features
from lung_models.training.tuning import forgetting, full, outlines, quick, versions
from lung_models.training.tuning.compare import Said, compare_findings
from lung_models.training.tuning.material import (
    TuningRun,
    cached_features,
    half_precision,
    head_of,
    measured,
    part,
    said,
    standardised,
)
from lung_models.training.tuning.quick import Studies
from lung_models.training.tuning.request import Request
from lung_models.weights import as_kept


def fine_tune(request: Request, run: TuningRun) -> dict[str, Any] | None:
    """Make a new version out of a parent and a labelled set.

    Returns:
        What the command line prints as JSON, see DESIGN's contract; None from a process that does not write.

    Raises:
        Stopped: when ``should_stop`` said so; what was done is in the workspace, and the same call goes on from there.
        ValueError: when the set is of another kind, or holds too little to learn anything.
        NoWeights: when there is no such parent.
    """
    if request.network != run.labelled.kind:
        raise ValueError(f"The set is labelled with {run.labelled.kind}, so it cannot teach {request.network}.")
    began = time.monotonic()
    work = outlines.tune_organs if request.network == "organs" else tune_findings
    result = work(request, run)
    return None if result is None else {**result, "seconds": round(time.monotonic() - began, 1)}


def tune_findings(request: Request, run: TuningRun) -> dict[str, Any] | None:
    """Fine-tune a classifier."""
    labelled = run.labelled
    base = run.store.card("findings", request.base)
    organs = run.store.card("organs", base.data["geometry"]["organs_version"])
    learnt, judged, held_out = (labelled.rows(part) for part in ("train", "validation", "held_out"))
    if not any(quick.enough(labelled.labels[learnt, column]) for column in range(len(KEYS))):
        least = f"at least {quick.LEARN} radiographs with it and {quick.LEARN} without"
        raise ValueError(f"No finding has enough labels to learn from: {least} are needed in the part to learn from.")
    geometry, frames = measured(run, organs)
    if not base.looks_at_organs:
        frames = [WHOLE] * len(labelled)
    network = run.store.load(base)
    images = standardised(run, base.input_size, frames)
    parent = head_of(network, Calibration.from_json(base.data["calibration"]))
    features = cached_features(run, base, network, images)
    said_before = said(parent, features, geometry)
    if request.recipe == "full":
        network = full.tune_classifier(
            network,
            parent,
            features,
            images,
            geometry,
            labelled.labels,
            said_before.probability,
            learnt,
            judged,
            full.settings_for(full.FINDINGS, request.epochs, request.seed, half_precision()),
            run.workspace / "training",
            callbacks=run.callbacks,
            should_stop=run.should_stop,
        )
        if not run.writes:
            return None
        as_kept(network)
        head = head_of(network, full.at_least_sloped(parent.calibration))
        features = pooled_features(network, images)
    else:
        studies = Studies(features, geometry, labelled.labels)
        head = quick.corrected(parent, studies.subset(learnt))
        network.load_state_dict({**network.state_dict(), **making.head_state(head)})
        as_kept(network)
        head = head_of(network, head.calibration)
    run.progress(0, 1, "versions compared")
    studies = Studies(features, geometry, labelled.labels)
    head = replace(head, calibration=quick.recalibrated(head, studies.subset(judged)))
    said_after = said(head, features, geometry)
    compared = compare_findings(
        labelled.labels[held_out], labelled.patients[held_out], part(said_before, held_out), part(said_after, held_out)
    )
    save_predictions(run, held_out, said_before, said_after)
    scale = making.heat_scale(
        network, head, images[run.seen], geometry[run.seen], default=float(base.data["heat_scale"])
    )
    forgotten = forgetting.findings(run, base, organs, parent, network, head)
    card = versions.findings_card(request, run, base, head, scale, compared, forgotten)
    written = versions.save(run, base, network, card, request)
    versions.bring_organs_along(run, organs, written)
    return versions.result(run, base, written, compared, forgotten)


def save_predictions(run: TuningRun, held_out: np.ndarray, before: Said, after: Said) -> None:
    """Keep what both versions say of the held-out part, for curves and for the cases where they disagree."""
    run.workspace.mkdir(parents=True, exist_ok=True)
    np.savez(
        run.workspace / "predictions.npz",
        allow_pickle=False,
        rows=held_out,
        labels=run.labelled.labels[held_out],
        before=before.probability[held_out],
        after=after.probability[held_out],
    )
