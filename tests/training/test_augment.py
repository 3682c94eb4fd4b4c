"""Augmentation changes what differs between hospitals, and only that."""

import torch
from torchvision import tv_tensors

from lung_models.training.augment import RandomVeil, for_organs

SIDE = 64


def test_a_veil_brightens_the_picture_and_leaves_the_masks() -> None:
    torch.manual_seed(0)
    image = tv_tensors.Image(torch.rand(1, SIDE, SIDE) * 0.5)
    masks = tv_tensors.Mask((torch.rand(3, SIDE, SIDE) > 0.5).to(torch.uint8))
    veiled, kept = RandomVeil(1.0)(image, masks)
    assert isinstance(veiled, tv_tensors.Image) and torch.equal(kept, masks)
    assert (veiled >= image - 1e-6).all() and veiled.max() <= 1.0
    assert (veiled - image).max() > 0.1
    unchanged, _ = RandomVeil(0.0)(image, masks)
    assert torch.equal(unchanged, image)


def test_masks_move_with_the_picture() -> None:
    """Where the organ is drawn stays the brightest part of a picture that shows nothing else."""
    torch.manual_seed(1)
    masks = tv_tensors.Mask(torch.zeros(3, SIDE, SIDE, dtype=torch.uint8))
    masks[0, 16:40, 20:44] = 1
    image = tv_tensors.Image(masks[:1].float())
    for _ in range(20):
        moved, drawn = for_organs(SIDE)(image, masks)
        inside, outside = moved[0][drawn[0] > 0], moved[0][drawn[0] == 0]
        assert inside.mean() > outside.mean() + 0.3
