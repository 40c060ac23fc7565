"""Commands that ship a model; see README.md. Not installed: run them from a checkout."""
