"""Train, evaluate and look at detectors; the only home of TensorFlow."""
