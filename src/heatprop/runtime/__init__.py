"""From frames to detections, while a video runs: one stream, of one source or of many."""
