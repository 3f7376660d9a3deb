"""What needs frames still to come: rescoring whole videos, and the boxes between two key frames."""
