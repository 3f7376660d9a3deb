"""Training CenterNet in PyTorch: targets, losses, data, engine. Needs the extra `train`."""
