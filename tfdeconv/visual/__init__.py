"""Pictures for people: label maps over photographs, charts, and one self-contained HTML page."""
