"""Tensors for PyTorch, which is imported by the first use."""

from typing import TYPE_CHECKING, Any, Dict, Mapping

from .arrays import Array, TensorInfo
from .errors import Unsupported

if TYPE_CHECKING:
    import torch

# What PyTorch calls types that NumPy lacks; not every version has all.
_TORCH = {"BF16": "bfloat16", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0fnu",
          "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}
_STEPS = ".scale"


def tensor_of(array: Array, info: TensorInfo, path: str, variant: str) -> "torch.Tensor":
    """A tensor in the memory of the array. `path` and `variant` are for messages."""
    import torch  # pylint: disable=import-outside-toplevel
    own = getattr(torch, _TORCH.get(info.dtype, ""), None)
    try:
        # As signed integers, which every version has.
        if own is not None:
            return torch.from_numpy(array.view(f"i{array.itemsize}")).view(own)
        return torch.from_numpy(array)
    except TypeError:
        raise Unsupported(f"{path}: '{variant}', tensor '{info.name}': PyTorch {torch.__version__} has no type for "
                          f"{info.dtype}; names= can leave it out", path, variant, info.name) from None


def computed(tensors: Mapping[str, "torch.Tensor"], own: Mapping[str, Any]) -> Dict[str, "torch.Tensor"]:
    """The tensors as a module computes with them whose own are `own`: where the module has floats for INT8 weights, and
    nothing for the steps beside them, one a row or one for all, the weights times these."""
    import torch  # pylint: disable=import-outside-toplevel
    state = dict(tensors)
    for name, weights in tensors.items():
        steps = tensors.get(name + _STEPS)
        if steps is None or name + _STEPS in own or name not in own or weights.dtype != torch.int8:
            continue
        rows = weights.shape[0] if weights.dim() else 1
        if own[name].is_floating_point() and steps.dtype == torch.float32 and steps.numel() in (1, rows):
            state[name] = weights.to(torch.float32) * steps.reshape([-1] + [1] * max(weights.dim() - 1, 0))
            del state[name + _STEPS]
    return state
