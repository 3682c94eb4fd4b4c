"""What a fine-tuned version forgot: both versions on the radiographs that the shipped figures come from.

Those radiographs do not ship. Where they lie on the machine (``LUNGS_REFERENCE``, laid out as shared/data) their val
is scored, for an organ model some of those with outlines; elsewhere the card says that it was not. The parent learnt
from them, and the new one descends from it, so that only the difference between the two says anything.
"""

from typing import Any

import numpy as np
from torch import nn

from lung_models.evaluate.findings import seen
from lung_models.evaluate.organs import score_outlines
from lung_models.training.findings import pooled_features
from lung_models.training.head import FittedHead
from lung_models.training.labelled_set import load_findings, load_organs
from lung_models.training.tuning.compare import compare_findings, compare_outlines
from lung_models.training.tuning.material import TuningRun, said
from lung_models.weights import Card

OUTLINED = 120  # radiographs with outlines that both versions are scored on
SEED = 22


def findings(
    run: TuningRun, base: Card, organs: Card, parent: FittedHead, tuned: nn.Module, head: FittedHead
) -> dict[str, Any] | None:
    """Before, after and difference on the reference's val; None where there is no reference."""
    if run.reference is None:
        return None
    labelled = load_findings(run.reference, "val")
    organ_net = run.store.load(organs)
    images, geometry = seen(
        base.input_size, organ_net, organs.input_size, labelled, run.progress, framed=base.looks_at_organs
    )
    before = said(parent, pooled_features(run.store.load(base), images), geometry)
    after = said(head, pooled_features(tuned, images), geometry)
    return {"n": len(labelled), **compare_findings(labelled.labels, np.array(labelled.patients), before, after)}


def organs(run: TuningRun, base: Card, tuned: nn.Module) -> dict[str, Any] | None:
    """Before, after and difference on some of the reference's outlines; None where there are none."""
    if run.reference is None or not (run.reference / "segmentation").is_dir():
        return None
    drawn = load_organs(run.reference)
    chosen = np.random.default_rng(SEED).permutation(len(drawn))[:OUTLINED]
    some = drawn.subset(np.sort(chosen))

    def told(done: int, of: int, what: str) -> None:
        run.check()
        run.progress(done, of, what)

    before, after = (score_outlines(one, base.input_size, some, told) for one in (run.store.load(base), tuned))
    return {"n": len(some), **compare_outlines(before, after, np.arange(len(some)))}
