// What a board needs to run a vault's models, before there are any variants: memory and time.
#ifndef MODELVAULT_TOOLS_PACKING_BOARD_PLAN_H_
#define MODELVAULT_TOOLS_PACKING_BOARD_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"

namespace modelvault {

struct BoardPlan {
  // RAM in bytes. As the engine counts them:
  uint64_t cache = 0;        // Keys and values of all positions that attention keeps; at first, what restores.
  uint64_t activations = 0;  // Of one token; a batch's others use what is free of the cache.
  uint64_t parameters = 0;   // Gains, row scales and biases.
  // Estimates:
  uint64_t list = 0;    // What a variant changes of the base.
  uint64_t loader = 0;  // Its memory, a chunk of the base among it, and the engine's own.
  uint64_t code = 0;    // That runs from RAM.
  uint64_t stack = 0;

  uint64_t taken() const { return cache + activations + parameters + list + loader + code + stack; }

  uint64_t ram = 0;  // What the board has.
  bool fits = false;
  std::string advice;  // Where it does not fit: what to change, and to what.

  // Estimates of cycles with a window that is full: of a token, with a base that is stored as it is and with one that
  // is coded; and from the reset to the first token after a prompt of 16.
  double token_fast = 0;
  double token_small = 0;
  double prompt_fast = 0;
  double prompt_small = 0;
};

// Plans for a base with these tensors and its NETWORK, which `network_section` is. `density` is the share of the INT8
// weights that a variant changes, 0 to 1. kInvalidArgument for a network that the engine cannot run.
absl::StatusOr<BoardPlan> PlanBoard(absl::string_view network_section, absl::Span<const ModelTensor> tensors,
                                    double density, uint64_t ram);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_BOARD_PLAN_H_
