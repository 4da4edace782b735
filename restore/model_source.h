// A stored model's data section for readers that go through it more or less in order.
#ifndef MODELVAULT_RESTORE_MODEL_SOURCE_H_
#define MODELVAULT_RESTORE_MODEL_SOURCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "restore/restorer.h"

namespace modelvault {

// Decodes a window at a time and keeps the last one, so that small tensors side by side cost one decoding. Memory: one
// window of at most 16 MiB. Stored checksums are compared, the model's digest is not. Thread-compatible.
class ModelSource : public DataSource {
 public:
  // `model` must outlive it. `window_size`, at least 1, is best the vault's segment size: decoding begins at segments.
  ModelSource(const VaultModel* model, uint32_t window_size) : model_(model), window_size_(window_size) {}

  uint64_t size() const override { return model_->data_size(); }
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override;

 private:
  absl::Status Load(uint64_t window);

  const VaultModel* model_;
  uint64_t window_size_;
  uint64_t begin_ = 0;  // Of what is in window_.
  std::vector<uint8_t> window_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_SOURCE_H_
