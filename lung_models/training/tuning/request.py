"""What is asked of a fine-tuning, and what it will take; knows no network, so that a page may know it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Network = Literal["findings", "organs"]
Recipe = Literal["quick", "full"]
RECIPES: tuple[Recipe, ...] = ("quick", "full")
EPOCHS = {"quick": 1, "full": 12}
# Seconds a radiograph, measured on 2 CPU cores without AVX-512: quick is one pass and its share of the figures; full is
# one radiograph in one epoch. A job that ran on this machine before replaces them.
SECONDS = {
    ("findings", "quick"): 0.06,
    ("findings", "full"): 0.09,
    ("organs", "quick"): 0.5,
    ("organs", "full"): 0.3,
}
REFERENCE_SECONDS = 45  # both versions on the reference; 41 for a classifier, 20 for an organ model on 2 CPU cores
FIXED_SECONDS = 15  # loading the networks, scoring both versions, writing the new one


@dataclass(frozen=True)
class Request:
    """A fine-tuning.

    Args:
        network: ``findings`` or ``organs``.
        recipe: ``quick`` fits the head on features that stay, ``full`` trains the layers too.
        base: Version to start from; None for the active one.
        seed: Of every random number.
        epochs: At most so many passes in full; None for the recipe's own.
    """

    network: Network
    recipe: Recipe
    base: str | None = None
    seed: int = 1
    epochs: int | None = None

    def to_json(self) -> dict[str, Any]:
        """What a job keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Request":
        """What :meth:`to_json` wrote."""
        return cls(**data)


def estimated_seconds(
    request: Request, learnt: int, judged: int, images_per_second: float | None = None, *, reference: bool = False
) -> float:
    """How long a fine-tuning will take, roughly.

    Args:
        request: What is asked.
        learnt: Radiographs to learn from.
        judged: All others of the set.
        images_per_second: Of an earlier training of this kind on this machine, if there was one.
        reference: Whether what was forgotten is looked for too.
    """
    key = cast(tuple[str, str], (request.network, request.recipe))
    once = FIXED_SECONDS + SECONDS[(request.network, "quick")] * (learnt + judged)
    if reference:
        once += REFERENCE_SECONDS
    if request.recipe == "quick":
        return once
    each = SECONDS[key] if not images_per_second else 1.0 / images_per_second
    return once + (request.epochs or EPOCHS["full"]) * (learnt * each + judged * each / 4)
