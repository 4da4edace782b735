#include "tests/restore/read_weights.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "restore/infer/delta_list.h"
#include "tests/vault/test_vault.h"

namespace modelvault {

TensorConsumer Into(TensorBytes* tensors) {
  return {[](void* self, size_t tensor, size_t offset, ByteView bytes) {
            std::string& to = (*static_cast<TensorBytes*>(self))[tensor];
            EXPECT_EQ(to.size(), offset);
            to += ToString(bytes);
            return CoreStatus::kOk;
          },
          tensors};
}

std::string Weights(const WeightSource& source, size_t tensor, size_t size, CoreStatus* status) {
  std::string bytes;
  *status = source.start(source.context, tensor, 0, size);
  while (*status == CoreStatus::kOk) {
    ByteView piece;
    *status = source.next(source.context, &piece);
    if (piece.size == 0) break;
    bytes += ToString(piece);
  }
  if (source.deltas == nullptr || *status != CoreStatus::kOk) return bytes;
  for (DeltaCursor cursor = source.deltas->tensor(tensor); cursor.place() != SIZE_MAX; cursor.Step()) {
    bytes[cursor.place()] = static_cast<char>(static_cast<int8_t>(bytes[cursor.place()]) + cursor.difference());
  }
  return bytes;
}

}  // namespace modelvault
