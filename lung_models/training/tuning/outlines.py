"""Fine-tuning an OrganNet: its last layer on features that stay, or its whole decoder; the gate is left as it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from lung_models.evaluate.organs import OutlineScore, drawn_by_hand, score_outline
from lung_models.networks import OrganNet
from lung_models.preprocess import WHOLE
from lung_models.reading import ORGANS
from lung_models.training.labelled_set import read_masks
from lung_models.training.organs import organ_loss
from lung_models.training.trainer import Settings, fit
from lung_models.training.tuning import forgetting, full, versions
from lung_models.training.tuning.compare import compare_outlines
from lung_models.training.tuning.material import TuningRun, half_precision, outlined, standardised
from lung_models.training.tuning.request import Request
from lung_models.weights import Card, as_kept

QUICK = Settings(epochs=8, batch_size=8, learning_rate=2e-3, averaging=0.9, patience=3)
MOST_QUICK = 800  # radiographs whose features are held in memory, about 2 MB each


def tune_organs(request: Request, run: TuningRun) -> dict[str, Any] | None:
    """Fine-tune an OrganNet."""
    labelled = run.labelled
    base = run.store.card("organs", request.base)
    network = cast(OrganNet, run.store.load(base))
    learnt, judged, held_out = (labelled.rows(part) for part in ("train", "validation", "held_out"))
    before = scores(network, base, run, held_out)
    images = standardised(run, base.input_size, [WHOLE] * len(labelled))
    masks, known = read_masks([labelled.masks(row) for row in range(len(labelled))], base.input_size)
    usual = QUICK if request.recipe == "quick" else full.ORGANS
    settings = full.settings_for(usual, request.epochs, request.seed, half_precision())
    channels = base.data.get("options", {}).get("decoder_channels")
    if request.recipe == "quick":
        tune_last_layer(network, images, masks, known, learnt[:MOST_QUICK], judged[:MOST_QUICK], settings, run)
    else:
        network = full.tune_outlines(
            network,
            channels,
            images,
            masks,
            known,
            learnt,
            judged,
            settings,
            run.workspace / "training",
            callbacks=run.callbacks,
            should_stop=run.should_stop,
        )
    if not run.writes:
        return None
    as_kept(network)
    after = scores(network, base, run, held_out)
    compared = compare_outlines(before, after, run.labelled.patients[held_out])
    save_scores(run, held_out, before, after)
    forgotten = forgetting.organs(run, base, network)
    card = versions.organs_card(request, run, base, compared, forgotten)
    written = versions.save(run, base, network, card, request)
    companion = versions.rebase_findings(run, base, written)
    result = versions.result(run, base, written, compared, forgotten)
    return {**result, "findings_version": None if companion is None else companion.version}


def save_scores(
    run: TuningRun, held_out: np.ndarray, before: Sequence[OutlineScore], after: Sequence[OutlineScore]
) -> None:
    """Keep how well both versions outline each held-out radiograph, for the cases where they differ."""
    dice = [[[one.dice.get(organ, np.nan) for organ in ORGANS] for one in each] for each in (before, after)]
    run.workspace.mkdir(parents=True, exist_ok=True)
    np.savez(run.workspace / "outlines.npz", allow_pickle=False, rows=held_out, before=dice[0], after=dice[1])


def scores(network: nn.Module, base: Card, run: TuningRun, rows: np.ndarray) -> list[OutlineScore]:
    """The outlines of some radiographs compared with what is drawn on them."""
    found = outlined(network, base.input_size, run, rows)
    return [
        score_outline("", radiograph, one, *drawn_by_hand(run.labelled.masks(int(row))))
        for row, (radiograph, one) in zip(rows, found, strict=True)
    ]


def tune_last_layer(
    network: OrganNet,
    images: np.ndarray,
    masks: np.ndarray,
    known: np.ndarray,
    learnt: np.ndarray,
    judged: np.ndarray,
    settings: Settings,
    run: TuningRun,
) -> None:
    """Fit the masks' head, in place, on the decoder's features, which are computed once."""
    head = LastLayer(network)
    parts = []
    for rows in (learnt, judged):
        features = torch.cat([decoded(network, images[row], run) for row in rows])
        parts.append(TensorDataset(features, torch.from_numpy(masks[rows]), torch.from_numpy(known[rows])))
    to_learn, to_judge = parts

    def loss(tuned: nn.Module, batch: Any) -> Tensor:
        features, drawn, drawn_known = batch
        return organ_loss(tuned, (features.float(), drawn.float(), drawn_known))

    @torch.inference_mode()
    def validate(averaged: nn.Module) -> float:
        place = next(averaged.parameters()).device
        return float(
            np.mean(
                [float(loss(averaged, [one.to(place) for one in to_judge[i : i + 1]])) for i in range(len(to_judge))]
            )
        )

    best = fit(
        head,
        to_learn,
        loss,
        replace(settings, batch_size=min(settings.batch_size, max(2, len(learnt) // 2))),
        run.workspace / "training",
        validate=validate,
        fingerprint=f"quick {images.shape[-1]} {full.digest_of(images[learnt], masks[learnt])}",
        callbacks=run.callbacks,
        should_stop=run.should_stop,
    )
    network.unet.segmentation_head.load_state_dict(cast(LastLayer, best).head.state_dict())


class LastLayer(nn.Module):
    """The masks' head of an OrganNet alone, with the outputs that the loss expects."""

    def __init__(self, network: OrganNet) -> None:
        super().__init__()
        self.head = network.unet.segmentation_head

    def forward(self, features: Tensor) -> tuple[Tensor]:
        """Mask logits (n, 3, side, side) from the decoder's features."""
        return (self.head(features),)


@torch.inference_mode()
def decoded(network: OrganNet, image: np.ndarray, run: TuningRun) -> Tensor:
    """The decoder's features of one image, float16 (1, channels, side, side)."""
    run.check()
    return network.decoded(torch.from_numpy(image)[None].float() / 255.0).half()
