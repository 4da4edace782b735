// Reads a NETWORK section (docs/format.md §9) and checks it against the model's tensors, so that whoever runs it need
// not. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_NETWORK_VIEW_H_
#define MODELVAULT_RESTORE_INFER_NETWORK_VIEW_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"
#include "codec/core/shared_tables.h"
#include "restore/infer/network.h"

namespace modelvault {

inline constexpr size_t kNetworkHeadSize = 32;
inline constexpr size_t kNetworkOperatorSize = 16;
inline constexpr size_t kMaxNetworkOperators = 4096;
inline constexpr size_t kMaxHeadWidth = 2 * kMaxRopePairs;

// What a network has to know of a tensor: MODEL's type, rows and columns.
struct TensorShape {
  DType dtype = DType::kOpaque;
  size_t rows = 0;
  size_t cols = 0;
};

// The tensors of a model.
struct TensorShapes {
  const void* context = nullptr;
  size_t count = 0;
  TensorShape (*shape)(const void* context, size_t tensor) = nullptr;  // Of a tensor below count.
};

// A parsed MODEL's; `shared` must outlive the result.
TensorShapes ShapesOf(const SharedTables& shared);

// Parses `section`, which begins at a multiple of 4, into `*network`, and checks all of it, its tokenizer included:
// what a field says about another; that operators read buffers that have been written, of widths that fit their tensors
// and one another; and that tensors have the types and shapes that their operators take. kBadNetwork if anything is
// wrong: *network is undefined then, and *bad_offset, if wanted, is about where in the section.
[[nodiscard]] CoreStatus ParseNetwork(ByteView section, const TensorShapes& shapes, Network* network,
                                      size_t* bad_offset = nullptr);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_NETWORK_VIEW_H_
