// Who takes a variant's tensors as they are restored. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_TENSOR_CONSUMER_H_
#define MODELVAULT_RESTORE_INFER_TENSOR_CONSUMER_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"

namespace modelvault {

// Takes restored bytes [offset, offset + bytes.size) of tensor `tensor` (its number in MODEL), tensor after tensor, those
// of each in order. Anything but kOk ends it.
struct TensorConsumer {
  CoreStatus (*consume)(void* context, size_t tensor, size_t offset, ByteView bytes) = nullptr;
  void* context = nullptr;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_TENSOR_CONSUMER_H_
