"""Other people's weights: formats, names, downloads, and the proof that an import is exact."""
