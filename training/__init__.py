"""Commands that reproduce the paper's training, from a checkout: `python -m training.stage1`."""
