"""A run becomes a model file that other programs can use, and proof that it gives the same answers."""
