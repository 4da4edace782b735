// A model of a vault as an engine takes it on a host: by the code that the board runs, from the bytes of the file.
#ifndef MODELVAULT_RESTORE_MODEL_WEIGHTS_H_
#define MODELVAULT_RESTORE_MODEL_WEIGHTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/infer/delta_list_builder.h"
#include "restore/infer/vault_weights.h"
#include "restore/restorer.h"
#include "restore/stream_memory.h"

namespace modelvault {

// Not thread-safe. The Restorer must outlive it.
class ModelWeights {
 public:
  // Restores model `name` ("base": the base) once, compares its XXH64, and hands its tensors to `consumer`; of a
  // variant with a layout of its own those that the base has, in its order. At most `list_room` bytes go to the list of
  // what differs from the base. Holds BASE, as stored, in memory. NotFound for no such model, DataLoss for a damaged
  // one and for what the consumer refuses.
  static absl::StatusOr<std::unique_ptr<ModelWeights>> Open(const Restorer& restorer, absl::string_view name,
                                                            TensorConsumer consumer, size_t list_room = kAnyList);
  static constexpr size_t kAnyList = SIZE_MAX;

  ModelWeights(const ModelWeights&) = delete;
  ModelWeights& operator=(const ModelWeights&) = delete;

  // Its weights, proven each time.
  WeightSource source();
  // Whether the weights are the base's and a list of differences, of so many bytes; else they are restored each time.
  bool is_listed() const { return base_weights_ != nullptr; }
  size_t list_size() const { return list_size_; }

  // What `status`, which the source or an engine gave, is to a user.
  absl::Status Describe(CoreStatus status) const;

 private:
  ModelWeights() = default;

  void ReadRestored();
  absl::Status ReadStored();
  absl::Status RestoreOnce(TensorConsumer consumer, size_t list_room);
  absl::Status RestoreTensors(TensorConsumer consumer);
  std::unique_ptr<VariantStream> MakeStream(uint8_t* prediction);

  const Restorer* restorer_ = nullptr;
  std::string name_;
  std::unique_ptr<const VaultModel> model_;
  std::unique_ptr<VaultBlob> blob_;  // Null for the base.
  // CHUNKS and BASE, and the list; of 8-byte words, so that they begin where they must.
  std::vector<uint64_t> chunks_;
  std::vector<uint64_t> base_;
  std::vector<uint64_t> list_memory_;
  std::vector<uint64_t> weights_memory_;
  std::vector<uint32_t> seals_;
  DeltaList list_;
  size_t list_size_ = 0;
  std::unique_ptr<BaseWeights> base_weights_;
  std::unique_ptr<StreamMemory> stream_memory_;
  std::unique_ptr<VariantStream> stream_;
  std::unique_ptr<RestoredWeights> restored_weights_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_WEIGHTS_H_
