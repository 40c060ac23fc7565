"""Commands that reproduce the results of the paper, from a checkout."""
