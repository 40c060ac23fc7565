"""Training in two stages with plain `compile` and `fit`: recipes, losses, run folders."""
