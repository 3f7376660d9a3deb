"""Detecting in whole datasets: cached outputs, temporal methods on them, resumable runs, sweeps."""
