"""The pipeline.config of the TF Object Detection API: read, explained, turned into an experiment."""
