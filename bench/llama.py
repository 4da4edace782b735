"""The corpus' architecture (its README has the formulas) as a torch module, written to be fast on one core."""

import torch
from torch import nn
from torch.nn import functional

_BLOCK = 32  # Queries whose scores are computed at a time.


class _RmsNorm(torch.autograd.Function):  # pylint: disable=abstract-method
    """x / rms(x) * weight, in a fraction of the passes over memory that autograd would take."""

    @staticmethod
    def forward(ctx, x, weight, epsilon):  # pylint: disable=arguments-differ
        inverse = torch.rsqrt(x.square().mean(-1, keepdim=True).add_(epsilon))
        normed = x * inverse
        ctx.save_for_backward(normed, inverse, weight)
        return normed * weight

    @staticmethod
    def backward(ctx, gradient):  # pylint: disable=arguments-differ
        normed, inverse, weight = ctx.saved_tensors
        product = gradient * normed
        along = product @ weight[:, None] / -weight.numel()
        return torch.addcmul(gradient * weight, normed, along).mul_(inverse), product.flatten(0, -2).sum(0), None


class RmsNorm(nn.Module):
    """x / rms(x) * weight."""

    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        return _RmsNorm.apply(x, self.weight, self.epsilon)


class Layer(nn.Module):
    """Attention with grouped keys and values, then the gated feed-forward."""

    def __init__(self, config):
        super().__init__()
        dim, hidden = config["dim"], config["hidden_dim"]
        self.heads, self.kv_heads = config["heads"], config["kv_heads"]
        self.head_dim = dim // self.heads
        self.attn_norm = RmsNorm(dim, config["norm_eps"])
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, self.kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, self.kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.ffn_norm = RmsNorm(dim, config["norm_eps"])
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x, rotation, masks):
        batch, length, dim = x.shape
        shared = self.heads // self.kv_heads
        h = self.attn_norm(x)
        # A key serves `shared` heads: their queries are one longer sequence, so nothing is repeated.
        q = rotate(self.wq(h).view(batch, length, self.kv_heads, shared, -1), rotation[:, None, None])
        q = q.permute(0, 2, 3, 1, 4).reshape(batch * self.kv_heads, shared, length, self.head_dim)
        k = rotate(self.wk(h).view(batch, length, self.kv_heads, -1), rotation[:, None])
        k = k.transpose(1, 2).reshape(batch * self.kv_heads, length, self.head_dim)
        v = self.wv(h).view(batch, length, self.kv_heads, -1).transpose(1, 2).reshape(k.shape)
        # A block of queries at a time: later keys need not be multiplied only to be masked.
        mixed, begin = [], 0
        for mask in masks:
            end = mask.shape[1]
            block = q[:, :, begin:end].reshape(batch * self.kv_heads, -1, self.head_dim)
            scores = torch.baddbmm(mask, block, k[:, :end].transpose(1, 2), alpha=self.head_dim**-0.5)
            mixed.append(torch.bmm(scores.softmax(-1), v[:, :end]).view(batch, self.heads, end - begin, self.head_dim))
            begin = end
        x = x + self.wo(torch.cat(mixed, 2).transpose(1, 2).reshape(batch, length, dim))
        h = self.ffn_norm(x)
        return x + self.w2(functional.silu(self.w1(h)) * self.w3(h))


class Llama(nn.Module):
    """Token ids [batch, length] to logits [batch, length, vocabulary]."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config["vocab"], config["dim"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["layers"]))
        self.norm = RmsNorm(config["dim"], config["norm_eps"])
        self._tables = {}

    def forward(self, tokens):
        length = tokens.shape[1]
        if length not in self._tables:
            self._tables[length] = self._make_tables(length)
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, *self._tables[length])
        return functional.linear(self.norm(x), self.embed.weight)

    def _make_tables(self, length):
        head_dim = self.config["dim"] // self.config["heads"]
        frequency = self.config["rope_theta"] ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
        shared = self.config["heads"] // self.config["kv_heads"]
        mask = torch.full((length, length), float("-inf")).triu(1)
        masks = [mask[begin:begin + _BLOCK, :begin + _BLOCK].repeat(shared, 1) for begin in range(0, length, _BLOCK)]
        return torch.polar(torch.ones_like(angle), angle).to(torch.complex64), masks


def rotate(x, rotation):
    """Rotates interleaved pairs of the last dimension: complex numbers, so to say."""
    pairs = torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * rotation).flatten(-2)
