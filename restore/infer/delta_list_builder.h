// Makes a DeltaList while a variant is restored. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_DELTA_LIST_BUILDER_H_
#define MODELVAULT_RESTORE_INFER_DELTA_LIST_BUILDER_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/shared_tables.h"
#include "restore/infer/delta_list.h"
#include "restore/infer/tensor_consumer.h"

namespace modelvault {

class DeltaListBuilder {
 public:
  // The list lives in `memory`, at a multiple of 4, which must outlive it; the tables must outlive the builder. Lists
  // tensors of I8; the variant's bytes of all tensors go to `consumer`, if there is one, too.
  DeltaListBuilder(const SharedTables* shared, ByteSpan memory, TensorConsumer consumer = {});

  // The variant's next bytes, which stand at `offset` of its data, and the base's of the same place; both at addresses
  // that are alike modulo 4. The variant has the base's layout, and all of it comes, in order. Fails
  // with what the consumer says, and kBadArgument for more than that. Memory that ends fails nothing yet.
  [[nodiscard]] CoreStatus Add(size_t offset, ByteView variant, const uint8_t* base);

  // After the last byte: the list, and how much of the memory it takes. kWorkspaceTooSmall: the memory does not suffice;
  // the weights are to be restored each time then (RestoredWeights).
  [[nodiscard]] CoreStatus Finish(DeltaList* list, size_t* used);

 private:
  // So many differences of a tensor are looked at before its step is chosen.
  static constexpr size_t kHeld = 32;

  struct Difference {
    uint32_t place;
    int16_t difference;
  };

  void Compare(size_t place, const uint8_t* variant, const uint8_t* base, size_t size);
  void Put(size_t place, int difference);
  void PutRare(size_t place, int difference);
  void ChooseStep();
  void Encode(const Difference& next);
  void Byte(unsigned byte);
  void EndTensor();

  const SharedTables* shared_;
  ByteSpan memory_;
  TensorConsumer consumer_;
  uint32_t* starts_ = nullptr;
  size_t used_ = 0;
  CoreStatus status_ = CoreStatus::kOk;
  bool full_ = false;  // There is no list.
  size_t tensor_ = 0;
  size_t from_ = 0;    // The place that a gap counts from.
  unsigned step_ = 0;  // 0: not chosen yet.
  size_t held_count_ = 0;
  Difference held_[kHeld];
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_DELTA_LIST_BUILDER_H_
