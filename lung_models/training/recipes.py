"""The recipes that made the shipped weights: every number that matters; :mod:`lung_models.training.making` cooks."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from lung_models.networks import ORGAN_DECODER_CHANNELS, FindingsNet, SevenLayerCNN
from lung_models.training.trainer import Settings


@dataclass(frozen=True)
class Stage:
    """One training run of a classifier's features.

    Args:
        size: Side of the network's input, in pixels.
        finer: Train on the subset that holds detail, see :func:`lung_models.training.findings.finer_subset`, instead
            of everything.
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
        base: Version whose features the first stage starts from, or that are kept as they are when there is no stage;
            None to start from ImageNet or from random weights.
        framed: Look at the frame around the organs, in the stages and ever after, instead of the whole picture.
        mined: Join the head with one fitted to text-mined labels, see :mod:`lung_models.training.mined`.
        absence: Let No Finding build on what the other five say.
    """

    name: str
    version: str
    network: Callable[[int], nn.Module]
    pretrained: bool
    stages: tuple[Stage, ...]
    summary: str
    base: str | None = None
    framed: bool = False
    mined: bool = False
    absence: bool = False


@dataclass(frozen=True)
class OrgansStage:
    """One training run of an OrganNet.

    Args:
        size: Side of the network's input, in pixels.
        settings: How.
    """

    size: int
    settings: Settings


@dataclass(frozen=True)
class OrgansRecipe:
    """How an OrganNet is made.

    Args:
        name: Name of the recipe, as ``--recipe`` takes it.
        version: Name of the version it makes.
        size: Side of the network's input, in pixels.
        stages: How its outlines are trained: one after the other, each starting from the averaged weights of the one
            before. None when the outlines of ``base`` are kept.
        summary: One sentence for the card.
        decoder_channels: Of its decoder, from the coarsest stage on.
        leave_one_source_out: Train on every radiograph, and score networks trained without one source on that source;
            else a fifth of every source is held out of the training.
        heart_repeats: How often a radiograph with a drawn heart is seen for every time that one without is.
        veils: Lay bright patches over the radiographs while training, as an effusion or a collapse does.
        base: Version whose outlines are kept as they are, so that only the gate is taught anew; None to train them.
        seed: Of the gate.
    """

    name: str
    version: str
    size: int
    stages: tuple[OrgansStage, ...]
    summary: str
    decoder_channels: tuple[int, ...] = ORGAN_DECODER_CHANNELS
    leave_one_source_out: bool = False
    heart_repeats: int = 1
    veils: bool = False
    base: str | None = None
    seed: int = 1


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
    FindingsRecipe(
        name="lite0-framed",
        version="efficientnet-lite0-2",
        network=FindingsNet,
        pretrained=False,
        base="efficientnet-lite0-1",
        framed=True,
        stages=(),
        summary="The features of efficientnet-lite0-1, looking at the frame around the organs instead of the whole "
        "picture; head, calibration and operating points fitted anew to radiologists' labels.",
    ),
    FindingsRecipe(
        name="seven-layer-refitted",
        version="seven-layer-2",
        network=SevenLayerCNN,
        pretrained=False,
        base="seven-layer-1",
        stages=(),
        summary="The baseline: the features of seven-layer-1; head, calibration and operating points fitted anew with "
        "the organ model of today.",
    ),
    FindingsRecipe(
        name="lite0-three-sources",
        version="efficientnet-lite0-3",
        network=FindingsNet,
        pretrained=False,
        base="efficientnet-lite0-2",
        framed=True,
        stages=(),
        summary="The features of efficientnet-lite0-2, looking at the frame that unet-lite0-3 draws around the organs; "
        "head, calibration and operating points fitted anew to radiologists' labels.",
    ),
    FindingsRecipe(
        name="seven-layer-three-sources",
        version="seven-layer-3",
        network=SevenLayerCNN,
        pretrained=False,
        base="seven-layer-2",
        stages=(),
        summary="The baseline: the features of seven-layer-2; head, calibration and operating points fitted anew with "
        "the organ model of today.",
    ),
    FindingsRecipe(
        name="lite0-mined",
        version="efficientnet-lite0-4",
        network=FindingsNet,
        pretrained=False,
        base="efficientnet-lite0-3",
        framed=True,
        mined=True,
        absence=True,
        stages=(),
        summary="The features of efficientnet-lite0-3. The head of each of the five joins one fitted to radiologists' "
        "labels with one fitted to text-mined labels; No Finding builds on what the five say.",
    ),
    FindingsRecipe(
        name="seven-layer-mined",
        version="seven-layer-4",
        network=SevenLayerCNN,
        pretrained=False,
        base="seven-layer-3",
        mined=True,
        absence=True,
        stages=(),
        summary="The baseline: the features of seven-layer-3, with a head made in the same way as that of "
        "efficientnet-lite0-4.",
    ),
)
_ORGANS = (
    OrgansRecipe(
        name="lite0",
        version="unet-lite0-1",
        size=256,
        stages=(OrgansStage(256, Settings(epochs=14, batch_size=16, learning_rate=1e-3, seed=1, precision="bf16")),),
        summary="U-Net on EfficientNet-Lite0 from ImageNet, trained on four fifths of three collections, with the "
        "organs that were not drawn left out of the loss.",
    ),
    OrgansRecipe(
        name="lite0-gate",
        version="unet-lite0-2",
        size=256,
        stages=(),
        base="unet-lite0-1",
        summary="The outlines of unet-lite0-1, unchanged; the gate is taught anew on harder pictures.",
    ),
    OrgansRecipe(
        name="lite0-three-sources",
        version="unet-lite0-3",
        size=224,
        stages=(
            OrgansStage(128, Settings(epochs=12, batch_size=8, learning_rate=1e-3, averaging=0.99, seed=1)),
            OrgansStage(224, Settings(epochs=4, batch_size=8, learning_rate=5e-4, averaging=0.99, seed=1)),
        ),
        decoder_channels=(96, 48, 32, 16, 8),
        leave_one_source_out=True,
        heart_repeats=2,
        veils=True,
        summary="U-Net on EfficientNet-Lite0 from ImageNet, trained on all of three collections, 128 then 224 pixels, "
        "with the organs that were not drawn left out of the loss and with opacities painted over.",
    ),
)
FINDINGS_RECIPES = {recipe.name: recipe for recipe in _FINDINGS}
ORGANS_RECIPES = {recipe.name: recipe for recipe in _ORGANS}
