#include "restore/infer/delta_list_builder.h"

namespace modelvault {
namespace {

// An explicit difference takes so many bytes.
constexpr size_t kExplicitSize = 5;
constexpr unsigned kMostStep = 127;

unsigned Magnitude(int difference) { return static_cast<unsigned>(difference < 0 ? -difference : difference); }

}  // namespace

DeltaListBuilder::DeltaListBuilder(const SharedTables* shared, ByteSpan memory, TensorConsumer consumer)
    : shared_(shared), memory_(memory), consumer_(consumer) {
  const size_t starts_size = shared->tensor_count() * sizeof(*starts_);
  full_ = starts_size > memory.size;
  if (full_) return;
  starts_ = reinterpret_cast<uint32_t*>(memory.data);
  for (size_t i = 0; i < shared->tensor_count(); ++i) starts_[i] = DeltaList::kNone;
  used_ = starts_size;
}

void DeltaListBuilder::Byte(unsigned byte) {
  if (used_ == memory_.size) {
    full_ = true;
    return;
  }
  memory_.data[used_++] = static_cast<uint8_t>(byte);
}

void DeltaListBuilder::Encode(const Difference& next) {
  size_t gap = next.place - from_;
  // Far gaps of a step are skipped over, or said in full where that is shorter.
  const bool in_full = Magnitude(next.difference) != step_ || gap / kDeltaFarGap >= kExplicitSize;
  const size_t most = in_full ? 0xFFFF : kDeltaFarGap - 1;
  for (; gap > most; gap -= kDeltaFarGap) Byte(kDeltaSkip);
  if (in_full) {
    const unsigned difference = static_cast<uint16_t>(next.difference);
    Byte(kDeltaExplicit);
    Byte(gap & 0xFF);
    Byte(static_cast<unsigned>(gap >> 8));
    Byte(difference & 0xFF);
    Byte(difference >> 8);
  } else {
    Byte(static_cast<unsigned>(2 * gap + (next.difference < 0 ? 1 : 0)));
  }
  from_ = next.place + 1;
}

// The magnitude that most of the differences in hand have, of two the first.
void DeltaListBuilder::ChooseStep() {
  size_t most = 0;
  step_ = 1;
  for (size_t i = 0; i < held_count_ && 2 * most <= held_count_; ++i) {
    const unsigned magnitude = Magnitude(held_[i].difference);
    if (magnitude > kMostStep) continue;
    size_t count = 0;
    for (size_t j = 0; j < held_count_; ++j) count += Magnitude(held_[j].difference) == magnitude ? 1 : 0;
    if (count <= most) continue;
    most = count;
    step_ = magnitude;
  }
  starts_[tensor_] = static_cast<uint32_t>(used_);
  Byte(step_);
  from_ = 0;
  for (size_t i = 0; i < held_count_; ++i) Encode(held_[i]);
}

void DeltaListBuilder::PutRare(size_t place, int difference) {
  const Difference next = {static_cast<uint32_t>(place), static_cast<int16_t>(difference)};
  if (step_ != 0) {
    Encode(next);
    return;
  }
  held_[held_count_++] = next;
  if (held_count_ == kHeld) ChooseStep();
}

// Nearly all are a step and not far from the one before.
[[gnu::always_inline]] inline void DeltaListBuilder::Put(size_t place, int difference) {
  const size_t gap = place - from_;
  const uint32_t negative = difference < 0 ? 1 : 0;
  if (Magnitude(difference) != step_ || gap >= kDeltaFarGap || used_ == memory_.size) {
    PutRare(place, difference);
    return;
  }
  memory_.data[used_++] = static_cast<uint8_t>(2 * gap + negative);
  from_ = place + 1;
}

void DeltaListBuilder::EndTensor() {
  if (!full_ && step_ == 0 && held_count_ > 0) ChooseStep();
  if (step_ != 0) Byte(kDeltaEnd);
  step_ = 0;
  held_count_ = 0;
  ++tensor_;
}

// `size` bytes of the tensor in progress, the first at `place`.
void DeltaListBuilder::Compare(size_t place, const uint8_t* variant, const uint8_t* base, size_t size) {
  const auto byte = [&](size_t at) __attribute__((always_inline)) {
    if (variant[at] != base[at]) Put(place + at, static_cast<int8_t>(variant[at]) - static_cast<int8_t>(base[at]));
  };
  size_t at = 0;
  while (at < size && reinterpret_cast<uintptr_t>(variant + at) % 4 != 0) byte(at++);
  for (; size - at >= 4; at += 4) {
    const uint32_t changed = LoadAligned32(variant + at) ^ LoadAligned32(base + at);
    if (changed == 0) continue;
    size_t i = at;
    for (uint32_t left = changed; left != 0; left >>= 8, ++i) {
      if ((left & 0xFF) != 0) Put(place + i, static_cast<int8_t>(variant[i]) - static_cast<int8_t>(base[i]));
    }
  }
  while (at < size) byte(at++);
}

CoreStatus DeltaListBuilder::Add(size_t offset, ByteView variant, const uint8_t* base) {
  size_t at = 0;
  while (status_ == CoreStatus::kOk && at < variant.size) {
    if (tensor_ == shared_->tensor_count()) {
      status_ = CoreStatus::kBadArgument;
      break;
    }
    const TensorRecord& t = shared_->tensor(tensor_);
    const size_t in_tensor = offset + at - t.offset;
    if (in_tensor >= t.size) {
      EndTensor();
      continue;
    }
    const size_t left = t.size - in_tensor;
    const size_t run = variant.size - at < left ? variant.size - at : left;
    if (t.dtype == DType::kI8 && !full_) Compare(in_tensor, variant.data + at, base + at, run);
    if (consumer_.consume != nullptr) {
      status_ = consumer_.consume(consumer_.context, tensor_, in_tensor, variant.Sub(at, run));
    }
    at += run;
  }
  return status_;
}

CoreStatus DeltaListBuilder::Finish(DeltaList* list, size_t* used) {
  *list = DeltaList();
  *used = 0;
  if (status_ != CoreStatus::kOk) return status_;
  while (!full_ && tensor_ < shared_->tensor_count()) EndTensor();
  if (full_) return CoreStatus::kWorkspaceTooSmall;
  *list = DeltaList(memory_.data, starts_, shared_->tensor_count());
  *used = used_;
  return CoreStatus::kOk;
}

}  // namespace modelvault
