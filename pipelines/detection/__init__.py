"""SSD MobileNet on TensorFlow Model Garden."""
