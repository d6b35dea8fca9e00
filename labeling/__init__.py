"""Annotations on disk and in memory: read, judge, write."""
