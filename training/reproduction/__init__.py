"""The paper's claims, measured at several seeds: `python -m training.reproduce`."""
