// Where an engine's weights come from: proven bytes of one tensor after the other. Core code: built unchanged for host
// and board.
#ifndef MODELVAULT_RESTORE_INFER_WEIGHT_SOURCE_H_
#define MODELVAULT_RESTORE_INFER_WEIGHT_SOURCE_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"

namespace modelvault {

// How a variant's weights differ from the bytes that a source hands out: for each tensor, in the order of its bytes, the
// places that differ and by how much (delta_list.h).
class DeltaList;

struct WeightSource {
  void* context = nullptr;

  // Stands before byte `begin` of tensor `tensor` (its number in MODEL); pieces up to byte `end` follow. Forgets what was
  // in progress.
  CoreStatus (*start)(void* context, size_t tensor, size_t begin, size_t end) = nullptr;

  // Sets *piece to the next bytes, none after the last. They are proven, stay valid until the next call, and lie at any
  // address; pieces end anywhere. A failure is repeated until the next start().
  CoreStatus (*next)(void* context, ByteView* piece) = nullptr;

  // What to add to those bytes to have the variant's. Null: they are the variant's.
  const DeltaList* deltas = nullptr;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_WEIGHT_SOURCE_H_
