"""The research bench: datasets, networks and training, evaluation, videos from a seed, the paper's report."""
