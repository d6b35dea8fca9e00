"""Fetch images and drawings, with where each came from."""
