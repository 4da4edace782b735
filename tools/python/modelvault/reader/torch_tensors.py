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


def computed(tensors: Mapping[str, "torch.Tensor"], own: Mapping[str, Any], path: str,
             variant: str) -> Dict[str, "torch.Tensor"]:
    """The tensors as a module computes with them whose own are `own`: where the module has floats for INT8 weights, and
    nothing for the steps beside them, the weights times these. `path` and `variant` are for messages."""
    import torch  # pylint: disable=import-outside-toplevel
    state = dict(tensors)
    for name, weights in tensors.items():
        steps_name = name + _STEPS
        if (weights.dtype != torch.int8 or steps_name not in tensors or steps_name in own or name not in own or
                not own[name].is_floating_point()):
            continue
        steps = state.pop(steps_name)
        rows = weights.shape[0] if weights.dim() else 1
        # The module would take the weights as they are, and be wrong.
        if steps.dtype != torch.float32 or steps.numel() not in (1, rows):
            raise Unsupported(f"{path}: '{variant}', tensor '{steps_name}' has {steps.numel()} values of "
                              f"{steps.dtype}; expected F32, one for each of the {rows} rows of '{name}' or one for "
                              "all", path, variant, steps_name)
        state[name] = weights.to(torch.float32) * steps.reshape([-1] + [1] * max(weights.dim() - 1, 0))
    return state
