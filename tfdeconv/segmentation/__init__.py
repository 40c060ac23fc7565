"""From a network that sees squares of one size to label maps of whole images of any size."""
