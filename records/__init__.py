"""Annotated images to TFRecords, without TensorFlow."""
