"""Synthetic videos in the layout of ImageNet VID, from a seed."""
