"""The paper's claims, measured on drawn data at several seeds: `python -m training.reproduce`."""
