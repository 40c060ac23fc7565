"""The networks of this package on the same data, by the same kind of recipe."""
