"""Pictures for people: label maps over photographs, plots, and one self-contained HTML page."""
