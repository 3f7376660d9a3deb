"""`heatprop app`: a local page for looking at detections and tuning propagation, and the server behind it."""
