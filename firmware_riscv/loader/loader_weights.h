// A model of an open vault as an engine takes it: restored once in a proven pass, then read again and again. In C++,
// for whoever builds the engine into a firmware.
#ifndef MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_WEIGHTS_H_
#define MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_WEIGHTS_H_

#include "firmware_riscv/loader/modelvault_loader.h"
#include "restore/infer/delta_list_builder.h"
#include "restore/infer/vault_weights.h"

namespace modelvault {

class LoaderWeights {
 public:
  struct Request {
    size_t tile_size = MV_DEFAULT_TILE_SIZE;
    // For the list of what differs from the base, at a multiple of 4; outside the loader's memory. Too little of it, or
    // a variant with a layout of its own, and the weights are restored each time that they are read.
    ByteSpan list_memory;
    // At multiples of MV_MEMORY_ALIGNMENT, each of them null for what the loader has idle: for the pass that restores;
    // then, with a list, BaseWeights::MemorySize() bytes for as long as this is used; or else, as long, for a model in
    // progress.
    ByteSpan pass_memory;
    ByteSpan base_memory;
    ByteSpan restored_memory;
    TensorConsumer consumer;   // Gets the variant's tensors, each once; those that it and the base have.
    bool with_digest = false;  // Also compares the XXH64 of the whole model.
  };

  LoaderWeights() = default;
  LoaderWeights(const LoaderWeights&) = delete;
  LoaderWeights& operator=(const LoaderWeights&) = delete;

  // Restores `variant`, proven tile by tile. From here on the loader is this object's: whatever starts a model with it
  // ends this. The loader has memory as mv_memory_needed_proven() says with MV_WITH_BASE, or a base's chunk and
  // kPieceSize more than mv_memory_needed(). Fails with what the loader or the consumer says.
  mv_error Open(mv_loader* loader, const mv_variant& variant, const Request& request);

  // The weights, proven each time. After Open().
  WeightSource source();
  // Bytes of list_memory that the list takes beside the seals; 0: there is none, and the weights are restored each
  // time.
  size_t list_size() const { return list_size_; }
  // Something else was written into base_memory.
  void ForgetBase();
  // Where the source's last failure was.
  mv_fault where() const;

  static constexpr size_t kPieceSize = 1024;  // Of a base that is coded.

 private:
  ByteSpan TakeSeals(ByteSpan memory);
  mv_error MakeList(const Request& request, ByteSpan memory);
  mv_error UseBase(ByteSpan memory);
  mv_error UseRestored(const mv_variant& variant, const Request& request);
  BaseWeights* base() { return reinterpret_cast<BaseWeights*>(base_); }
  const BaseWeights* base() const { return reinterpret_cast<const BaseWeights*>(base_); }
  RestoredWeights* restored() { return reinterpret_cast<RestoredWeights*>(restored_); }

  mv_loader* loader_ = nullptr;
  uint32_t* seals_ = nullptr;
  ByteSpan base_memory_;
  DeltaList list_;
  size_t list_size_ = 0;
  alignas(BaseWeights) uint8_t base_[sizeof(BaseWeights)];
  alignas(RestoredWeights) uint8_t restored_[sizeof(RestoredWeights)];
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_WEIGHTS_H_
