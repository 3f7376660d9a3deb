"""Campaigns against heatprop: many damaged inputs, interruptions, kills and shared folders.

Each module is one campaign, with `run(runs, seed, folder) -> Tally`: it makes its inputs in an empty folder, runs
the real command, and counts how each run ended and what was wrong with that. `tools/campaign.py` calls them.
"""
