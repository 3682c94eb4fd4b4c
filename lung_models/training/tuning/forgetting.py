"""What a fine-tuned classifier forgot: both versions on the radiographs that the shipped figures come from.

Those radiographs do not ship. Where they lie on the machine (``LUNGS_REFERENCE``, laid out as shared/data) their val
is scored; elsewhere the card says that it was not. The parent's head was fitted on them, and the new one descends from
it, so that only the difference between the two says anything.
"""

from typing import Any

import numpy as np
from torch import nn

from lung_models.evaluate.findings import seen
from lung_models.training.findings import pooled_features
from lung_models.training.head import FittedHead
from lung_models.training.labelled_set import load_findings
from lung_models.training.tuning.compare import compare_findings
from lung_models.training.tuning.material import TuningRun, said
from lung_models.weights import Card


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
