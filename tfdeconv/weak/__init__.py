"""Weakly supervised localisation: class activation maps from image-level labels."""
