"""Classifiers of drawings and pictures: networks, input pipeline, task."""
