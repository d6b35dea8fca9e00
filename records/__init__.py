"""Annotated images and drawings to TFRecords, without TensorFlow."""
