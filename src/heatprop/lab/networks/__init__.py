"""CenterNet in PyTorch: the paper's networks, timm backbones, published checkpoints. Needs the extra `export`."""

try:
    import torch as _torch  # noqa: F401
    import torchvision as _torchvision  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"heatprop.lab.networks needs {error.name}, which is not installed; run pip install 'heatprop[export]'",
        name=error.name,
    ) from None

from heatprop.lab.networks.centernet import CenterNet, CenterNetConfig, NetworkOutput, build_network
from heatprop.lab.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

__all__ = [
    "CenterNet",
    "CenterNetConfig",
    "Checkpoint",
    "NetworkOutput",
    "build_network",
    "load_checkpoint",
    "save_checkpoint",
]
