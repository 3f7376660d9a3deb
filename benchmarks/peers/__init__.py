"""Temporal methods of other projects, from their own packages, as functions from a video's detections to others.

    pip install 'heatprop[peers,tracking]'
    pip install --no-deps norfair==2.3.0 trackeval

The first brings `trackers` and `supervision`, and what norfair and TrackEval use. Norfair comes without its
requirements: it asks for NumPy before 2, where `trackers` asks for 2; it works with both. TrackEval, which scores
identities, would bring an OpenCV that it does not use. Take an environment of its own for all of them: `trackers`
brings `opencv-python`, which writes over the files of the `opencv-python-headless` of heatprop.
"""
