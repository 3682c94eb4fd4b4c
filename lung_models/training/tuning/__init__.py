"""Fine-tuning a shipped version on a user's labelled set: quick (the head) or full (all layers), before and after.

:func:`lung_models.training.tuning.finetune.fine_tune` is the whole of it; start there.
"""
