"""load_by_python VAULT MODEL [REPEAT]
Opens a vault and reads all tensors of a model into NumPy arrays, once or REPEAT times. Prints JSON: {"open_s": seconds
to open the vault, "load_s": seconds to load the model from then on, "bytes": of its tensors}. The fastest of the
repetitions counts."""

import json
import sys
import time

import modelvault


def load(path, name):
    begin = time.perf_counter()
    with modelvault.Vault(path) as vault:
        opened = time.perf_counter()
        tensors = dict(vault[name].tensors())
        return opened - begin, time.perf_counter() - opened, sum(array.nbytes for array in tensors.values())


def main():
    path, name, *repeat = sys.argv[1:]
    runs = [load(path, name) for _ in range(int(repeat[0]) if repeat else 1)]
    print(json.dumps({"open_s": min(run[0] for run in runs), "load_s": min(run[1] for run in runs),
                      "bytes": runs[0][2]}))


if __name__ == "__main__":
    main()
