"""Learning from the classes of images alone: a classifier, and what its maps say of places."""
