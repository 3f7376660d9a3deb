"""Temporal methods of other projects, from their own packages, as functions from a video's detections to others.

    pip install 'heatprop[peers]'
    pip install --no-deps norfair==2.3.0

The first brings `trackers` and `supervision`, and what norfair uses. Norfair comes without its requirements: it
asks for NumPy before 2, where `trackers` asks for 2; it works with both. Take an environment of its own for them:
`trackers` brings `opencv-python`, which writes over the files of the `opencv-python-headless` of heatprop.
"""
