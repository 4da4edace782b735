"""What the tests share: a small model of every kind of weight, and `mvault`."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools" / "python"))

# pylint: disable=wrong-import-position
import torch
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)

VOCABULARY, WIDTH, CONTEXT = 37, 20, 12
MVAULT = os.environ.get("MODELVAULT_PROGRAM", str(ROOT / "build" / "mvault"))


class Toy(nn.Module):
    """Tokens [batch, 12] to logits [batch, 12, 37]: an embedding tied to the output, two kinds of convolution, odd
    sizes, biases, norms, and buffers."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.mix = nn.Conv1d(WIDTH, 23, 3, padding=1)
        self.norm = nn.BatchNorm1d(23)
        self.image = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.hidden = nn.Linear(3 * 23, 51)
        self.out_norm = nn.LayerNorm(51)
        self.down = nn.Linear(51, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.norm(self.mix(self.embed(tokens).transpose(1, 2)))
        x = self.image(x[:, None]).permute(0, 3, 1, 2).flatten(2)
        x = self.out_norm(functional.gelu(self.hidden(x)))
        return self.head(self.down(x))


def make_toy(seed=1):
    """A toy with norms and biases that are not the ones it is born with."""
    torch.manual_seed(seed)
    model = Toy()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() < 2:
                parameter += 0.1 * torch.randn_like(parameter)
        model.norm.running_mean.normal_(std=0.1)
    return model.eval()


def make_teacher(model, seed=2, amount=0.15):
    """The model moved a little: its fine-tune."""
    torch.manual_seed(seed)
    teacher = Toy()
    teacher.load_state_dict(model.state_dict())
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter += amount * parameter.std() * torch.randn_like(parameter)
    return teacher.eval()


def make_batches(count=6, size=4, seed=3):
    """Tokens and targets."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randint(VOCABULARY, (size, CONTEXT), generator=generator),
             torch.randint(VOCABULARY, (size, CONTEXT), generator=generator)) for _ in range(count)]


def mvault(*arguments):
    """Runs mvault; its JSON document."""
    done = subprocess.run([MVAULT, *map(str, arguments), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"mvault {arguments[0]} ended with {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def pack(base, variants, vault):
    """Packs files under names; stored bytes by name."""
    command = ["pack", "--base", base, "-o", vault]
    for name, path in variants.items():
        command += ["--variant", f"{name}={path}"]
    return {v["name"]: v["stored_bytes"] for v in mvault(*command)["variants"]}


class FolderTest(unittest.TestCase):
    """A test with a temporary folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
