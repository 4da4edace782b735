#!/usr/bin/env python3
"""What the variants of one base have in common, in bytes: the measurements behind docs/design.md.

Usage: shared_prior.py FOLDER      (base.safetensors and variants/*.safetensors, INT8; needs python3-numpy)

Prints, over all variants, the ideal cost of the positions of differing weights: with one probability per tensor and variant
(order 0), and with chances that follow row and column densities counted once over all variants; then what rounding those
densities to a few classes costs, the scales, and the base with one table per tensor or tables shared.
"""
import glob
import json
import struct
import sys

import numpy as np

DTYPES = {"I8": np.int8, "F32": np.float32, "F16": np.float16}


def load(path):
    raw = open(path, "rb").read()
    length = struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, t in json.loads(raw[8 : 8 + length]).items():
        if name == "__metadata__" or t["dtype"] not in DTYPES:
            continue
        begin, end = t["data_offsets"]
        data = np.frombuffer(raw[8 + length + begin : 8 + length + end], dtype=DTYPES[t["dtype"]])
        tensors[name] = data.reshape(t["shape"])
    return tensors


def order0_bytes(counts):
    c = np.asarray(counts, dtype=float)
    c = c[c > 0]
    return float(-(c * np.log2(c / c.sum())).sum() / 8) if c.size else 0.0


def position_bytes(hits, hazard):
    """Bytes of the positions `hits` if weight i differs with chance 1 - exp(-a * hazard[i]), a chosen for this tensor."""
    low, high = 1e-6, 1e6
    for _ in range(60):
        a = np.sqrt(low * high)
        if -np.expm1(-a * hazard).sum() < hits.sum():
            low = a
        else:
            high = a
    q = np.clip(-np.expm1(-a * hazard), 1e-12, 1 - 1e-12)
    return float(-(np.log2(q[hits]).sum() + np.log2(1 - q[~hits]).sum()) / 8)


def main():
    folder = sys.argv[1]
    base = load(folder + "/base.safetensors")
    variants = [load(path) for path in sorted(glob.glob(folder + "/variants/*.safetensors"))]
    names = [n for n in base if base[n].dtype == np.int8 and base[n].ndim == 2]
    count = len(variants)

    def classes(x, per_octave, lowest):
        y = np.round(np.log2(x) * per_octave)
        return 2.0 ** (np.clip(y - y.max(), lowest, 0) / per_octave)

    total = {}

    def add(key, value):
        total[key] = total.get(key, 0.0) + value

    for n in names:
        delta = np.stack([v[n].astype(np.int16) - base[n].astype(np.int16) for v in variants])
        hit = delta != 0
        sums = hit.sum(0)
        rows = (sums.sum(1) + 0.3) / (count * sums.shape[1])
        columns = (sums.sum(0) + 0.3) / (count * sums.shape[0])
        ones_r, ones_c = np.ones_like(rows), np.ones_like(columns)
        models = {
            "rows": (rows, ones_c),
            "columns": (ones_r, columns),
            "rows and columns": (rows, columns),
            "rows and columns, 16 classes of half an octave": (classes(rows, 2, -15), classes(columns, 2, -15)),
            "rows and columns, 8 classes of half an octave": (classes(rows, 2, -7), classes(columns, 2, -7)),
        }
        for i in range(count):
            h = hit[i]
            if not h.any():
                continue
            add("positions, one chance per tensor", order0_bytes(np.bincount(h.ravel().astype(int))))
            add("signs", h.sum() / 8)
            for key, (r, c) in models.items():
                add("positions, " + key, position_bytes(h, np.outer(r, c)))
            flat = np.abs(delta[i]).ravel()
            scales = np.pad(flat, (0, -flat.size % 128)).reshape(-1, 128).max(1)
            scales = scales[scales > 0]
            add("scales, order 0 in the tensor", order0_bytes(np.bincount(scales)))
    for key, value in total.items():
        print(f"{value:12.0f}  {value / count:9.1f} a variant  {key}")
    histograms = np.stack([np.bincount(base[n].view(np.uint8).ravel(), minlength=256) for n in names])
    print(f"{sum(order0_bytes(h) for h in histograms):12.0f}  base, a table per tensor")
    print(f"{order0_bytes(histograms.sum(0)):12.0f}  base, one table")


main()
