// What a plain compressor gets to see of a variant: its differences from the base, laid out as simply as can be.
#ifndef MODELVAULT_BENCH_DELTA_PLANE_H_
#define MODELVAULT_BENCH_DELTA_PLANE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault::bench {

enum class PlaneKind : uint8_t {
  kTrits = 0,      // Every INT8 tensor is the base with trits and a scale for each 128 weights.
  kResiduals = 1,  // Some are not.
};

struct DeltaPlane {
  PlaneKind kind = PlaneKind::kTrits;
  // A byte for the kind; the differences of INT8 tensors (trits: five a byte in base 3, then a byte of scale a group;
  // residuals: a byte a weight, variant - base); all else (the file's header, other tensors) as XOR with the base's
  // bytes.
  std::string bytes;
  uint64_t difference_size = 0;  // How many of them, from the second on, are packed trits or residuals.
  uint64_t weights = 0;          // INT8.
  uint64_t differing = 0;        // INT8 weights that differ.
  // The order-0 entropy of trits (or residuals), summed over the INT8 tensors, each with its own statistics, in bytes.
  // Nothing for scales, tables and headers.
  double order0_bytes = 0;
};

// InvalidArgument unless the variant has the base's tensors, in its order and dtypes.
absl::StatusOr<DeltaPlane> MakeDeltaPlane(FileSystem& file_system, const std::string& base_path,
                                          const std::string& variant_path);

// The variant's file.
absl::StatusOr<std::string> JoinDeltaPlane(FileSystem& file_system, const std::string& base_path,
                                           absl::string_view plane);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_DELTA_PLANE_H_
