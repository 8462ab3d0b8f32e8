"""Using a model: files, streams, segments, annotated videos."""
