"""Video in and out: sources of frames, sinks of annotated frames, results as JSON Lines."""
