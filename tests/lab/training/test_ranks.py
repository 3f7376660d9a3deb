"""Two real processes compute what one does: normalisation, gradients, and what they tell each other."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import nn

from heatprop.errors import InvalidConfigError
from heatprop.lab.training.ranks import Ranks, joined_ranks
from heatprop.lab.training.synced_norm import SyncedBatchNorm2d, freeze_norms, sync_norms

PRELUDE = """
import os, sys
import torch
from heatprop.lab.training.ranks import joined_ranks

torch.set_num_threads(1)
os.environ |= {"RANK": sys.argv[1], "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[2]}
"""


def run_two(program: str, folder: Path) -> None:
    """Run a program in two processes that know each other; they may use `ranks`, and files in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    body = "\n".join(f"    {line}" for line in program.strip().splitlines())
    text = f'{PRELUDE}with joined_ranks(torch.device("cpu")) as ranks:\n{body}\n'
    with ExitStack() as stack:
        processes = []
        for rank in range(2):
            one = [sys.executable, "-W", "error", "-c", text, str(rank), port]
            processes.append(stack.enter_context(subprocess.Popen(one, cwd=folder)))
            stack.callback(processes[-1].kill)
        assert [process.wait(240) for process in processes] == [0, 0]


def test_what_processes_tell_each_other(tmp_path: Path) -> None:
    run_two(
        """
assert ranks.count == 2 and ranks.is_first == (ranks.rank == 0)
assert ranks.gather(("from", ranks.rank)) == [("from", 0), ("from", 1)]
assert ranks.from_first({"rank": ranks.rank}) == {"rank": 0}
assert ranks.sum(torch.tensor([1.0, ranks.rank])).tolist() == [2.0, 1.0]
assert ranks.any(ranks.rank == 1) and not ranks.any(False)
weights = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 3), (4,), (1,))]
for weight in weights[:2]:
    weight.grad = torch.full_like(weight, 1.0 + ranks.rank)
ranks.sum_gradients(weights)
assert (weights[0].grad == 3).all() and (weights[1].grad == 3).all() and weights[2].grad is None
""",
        tmp_path,
    )


def test_alone_nothing_is_sent() -> None:
    with joined_ranks(torch.device("cpu")) as ranks:
        assert ranks == Ranks()
        assert ranks.gather(3) == [3]
        assert ranks.from_first(3) == 3
        assert ranks.any(True)
        assert not ranks.any(False)
        assert ranks.sum(torch.tensor(2)).item() == 2


def test_shared_normalisation_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.normal_(norm.bias)
    features = (3 * torch.randn(6, 5, 4, 3) + torch.arange(5)[:, None, None]).requires_grad_()
    wanted = torch.randn(6, 5, 4, 3)
    torch.save({"norm": norm.state_dict(), "features": features.detach(), "wanted": wanted}, tmp_path / "given.pt")
    run_two(
        """
from heatprop.lab.training.synced_norm import SyncedBatchNorm2d
given = torch.load("given.pt")
norm = SyncedBatchNorm2d(5)
norm.load_state_dict(given["norm"])
mine = slice(0, 2) if ranks.is_first else slice(2, 6)  # parts may differ in size
features = given["features"][mine].requires_grad_()
output = norm(features)
(output * given["wanted"][mine]).sum().backward()
ranks.sum_gradients(norm.parameters())
found = {"output": output.detach(), "features": features.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
torch.save(found | {"state": norm.state_dict()}, f"found-{ranks.rank}.pt")
norm.eval()
assert torch.equal(norm(features), torch.nn.functional.batch_norm(
    features, norm.running_mean, norm.running_var, norm.weight, norm.bias))
""",
        tmp_path,
    )
    output = norm(features)
    (output * wanted).sum().backward()
    found = [torch.load(tmp_path / f"found-{rank}.pt") for rank in range(2)]
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(torch.cat([each["output"] for each in found]), output.detach(), **close)
    torch.testing.assert_close(torch.cat([each["features"] for each in found]), features.grad, **close)
    for each in found:
        torch.testing.assert_close(each["weight"], norm.weight.grad, **close)
        torch.testing.assert_close(each["bias"], norm.bias.grad, **close)
        for key, value in norm.state_dict().items():
            torch.testing.assert_close(each["state"][key], value, **close)


def test_every_normalisation_is_replaced_and_keeps_its_weights() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4, momentum=0.3, eps=1e-3)))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    sync_norms(network)
    (norm,) = (each for each in network.modules() if isinstance(each, nn.BatchNorm2d))
    assert isinstance(norm, SyncedBatchNorm2d)
    assert (norm.momentum, norm.eps) == (0.3, 1e-3)
    assert network.state_dict().keys() == before.keys()


def test_a_normalisation_of_its_own_kind_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="BatchNorm1d of this backbone cannot be shared"):
        sync_norms(nn.Sequential(nn.BatchNorm1d(4)))


def test_a_frozen_normalisation_keeps_its_statistics_and_learns_its_weights() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2)).train()
    freeze_norms(network)
    network(torch.randn(3, 2, 4, 4)).sum().backward()
    assert network[0].running_mean.tolist() == [0, 0]
    assert network[0].weight.grad is not None
