"""Of which classes a model's images are, by a classifier."""
