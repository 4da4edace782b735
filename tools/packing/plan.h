// What fits into a vault of a given size beside a base, before there are any variants.
#ifndef MODELVAULT_TOOLS_PACKING_PLAN_H_
#define MODELVAULT_TOOLS_PACKING_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "codec/progress_function.h"
#include "tools/packing/board_plan.h"
#include "tools/packing/network_builder.h"
#include "vault/file_system.h"

namespace modelvault {

struct VaultPlan {
  uint64_t weights = 0;  // CountWeights of the base.
  uint64_t base_file_size = 0;
  // Of the vault: coded, not estimated.
  uint64_t model_bytes = 0;
  uint64_t chunks_bytes = 0;
  uint64_t base_bytes = 0;
  uint64_t network_bytes = 0;  // 0 without a network.
  // Estimates: header, the base's file header in MANIFEST, padding.
  uint64_t fixed_bytes = 0;
  // Index entry, name, file header, blob's flags, coder's state, padding.
  double overhead_per_variant = 0;
  uint64_t overhead_bytes = 0;  // Of all variants.

  uint64_t taken = 0;  // All of the above.
  bool fits = false;   // Something is left of the budget.
  uint64_t bytes_left = 0;
  uint64_t bytes_left_per_variant = 0;
  double bits_per_weight = 0;
  std::optional<double> density;   // Of ternary differences; only where there are INT8 weights.
  std::optional<BoardPlan> board;  // Only with a network. Variants are taken to differ as densely as they can afford.
};

// What the models compute, and on what.
struct NetworkPlan {
  NetworkInput network;
  uint64_t ram = 128 << 10;  // Bytes that the board has.
};

// Codes the base as PackVault would for it alone, a chunk at a time, counting bytes only. `variants` is at least 1.
absl::StatusOr<VaultPlan> PlanVault(FileSystem& file_system, const std::string& base_path, uint64_t budget,
                                    uint32_t variants, const std::optional<NetworkPlan>& network, int threads,
                                    const ProgressFunction& progress);

// The share of weights that may differ at `bits` a weight: p with H(p) + p = bits, a position and a sign each. At most
// 2/3, where ternary digits are dearest: with more bits than log2(3) there is room for any of them, and it is 1.
double AffordableDensity(double bits);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_PLAN_H_
