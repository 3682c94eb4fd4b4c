"""Training: labelled sets, augmentation, the trainer and the recipes that made the shipped weights."""
