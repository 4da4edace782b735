#include "firmware_riscv/loader/loader_weights.h"

#include "firmware_riscv/loader/core_errors.h"
#include "firmware_riscv/loader/loader_parts.h"
#include "firmware_riscv/loader/placement.h"

namespace modelvault {
namespace {

struct Tiles {
  mv_loader* loader;
  DeltaListBuilder* builder;
};

mv_error AddTile(void* user, size_t offset, const uint8_t* bytes, size_t size) {
  const Tiles* const tiles = static_cast<const Tiles*>(user);
  return ToError(tiles->builder->Add(offset, {bytes, size}, mv_base_tile(tiles->loader)));
}

mv_error IgnoreTile(void*, size_t, const uint8_t*, size_t) { return MV_OK; }

}  // namespace

mv_error LoaderWeights::Open(mv_loader* loader, const mv_variant& variant, const Request& request) {
  loader_ = loader;
  list_size_ = 0;
  const uint32_t digest = request.with_digest ? MV_WITH_DIGEST : 0;
  const ByteSpan memory = TakeSeals(request.list_memory);
  mv_error error = StartSealed(loader, &variant, request.tile_size, MV_WITH_BASE | digest, seals_, request.pass_memory);
  if (error != MV_OK) return error;
  const bool base_layout = mv_base_tile(loader) != nullptr;
  if (base_layout) {
    error = MakeList(request, memory);
    if (error == MV_OK && list_size_ != 0) return UseBase(request.base_memory);
  } else if (request.with_digest) {
    error = mv_stream(loader, IgnoreTile, nullptr);
  }
  if (error != MV_OK) return error;
  error = UseRestored(variant, request);
  if (error != MV_OK || base_layout || request.consumer.consume == nullptr) return error;
  return ToError(ConsumeTensors(restored()->source(), *PartsOf(loader).shared, request.consumer));
}

// The seals at the memory's front, if it has room for them; what is left of it.
ByteSpan LoaderWeights::TakeSeals(ByteSpan memory) {
  const size_t count = PartsOf(loader_).chunks.header->chunk_count();
  seals_ = nullptr;
  if (count > memory.size / sizeof(*seals_)) return memory;
  seals_ = reinterpret_cast<uint32_t*>(memory.data);
  const size_t size = count * sizeof(*seals_);
  for (size_t i = 0; i < count; ++i) seals_[i] = 0;
  return {memory.data + size, memory.size - size};
}

// The pass in progress, and the list of it; list_size_ stays 0 where the list's memory does not suffice.
mv_error LoaderWeights::MakeList(const Request& request, ByteSpan memory) {
  DeltaListBuilder builder(PartsOf(loader_).shared, memory, request.consumer);
  Tiles tiles = {loader_, &builder};
  const mv_error error = mv_stream(loader_, AddTile, &tiles);
  if (error != MV_OK) return error;
  const CoreStatus finished = builder.Finish(&list_, &list_size_);
  return finished == CoreStatus::kWorkspaceTooSmall ? MV_OK : ToError(finished);
}

mv_error LoaderWeights::UseBase(ByteSpan memory) {
  EndModel(loader_);
  const LoaderParts parts = PartsOf(loader_);
  base_memory_ = memory.data != nullptr ? memory : parts.idle;
  size_t size;
  CoreStatus status = BaseWeights::MemorySize(*parts.shared, parts.chunks, kPieceSize, &size);
  if (status == CoreStatus::kOk && size > base_memory_.size) status = CoreStatus::kWorkspaceTooSmall;
  if (status == CoreStatus::kOk) {
    ForgetBase();
  } else {
    list_size_ = 0;
  }
  return ToError(status);
}

void LoaderWeights::ForgetBase() {
  if (list_size_ == 0) return;
  const LoaderParts parts = PartsOf(loader_);
  new (At{base_}) BaseWeights(parts.shared, parts.chunks, seals_, base_memory_, kPieceSize);
}

// A stream of its own, which stays.
mv_error LoaderWeights::UseRestored(const mv_variant& variant, const Request& request) {
  const mv_error started = StartSealed(loader_, &variant, request.tile_size, 0, seals_, request.restored_memory);
  if (started != MV_OK) return started;
  const LoaderParts parts = PartsOf(loader_);
  new (At{restored_}) RestoredWeights(parts.stream, parts.layout, request.tile_size);
  return MV_OK;
}

WeightSource LoaderWeights::source() { return list_size_ != 0 ? base()->source(&list_) : restored()->source(); }

mv_fault LoaderWeights::where() const {
  return list_size_ != 0 ? mv_fault{MV_PLACE_BASE, static_cast<uint32_t>(base()->last_chunk())} : mv_where(loader_);
}

}  // namespace modelvault
