"""What needs the whole video: rescoring it, and the boxes between two key frames."""
