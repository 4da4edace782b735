#include <algorithm>
#include <array>
#include <cstring>

#include "codec/core/bytes.h"
#include "codec/host/block_codec.h"
#include "codec/host/block_scratch.h"
#include "codec/host/plane_codec.h"
#include "codec/host/ternary_weight.h"

namespace modelvault {
namespace {

// One block being decoded.
class BlockDecoder {
 public:
  BlockDecoder(DType dtype, absl::Span<const uint8_t> stored, absl::Span<const uint8_t> reference,
               BlockScratch::Rep* scratch, absl::Span<uint8_t> out)
      : dtype_(dtype),
        size_(ElementSize(static_cast<uint8_t>(dtype))),
        count_(out.size() / size_),
        reader_({stored.data(), stored.size()}),
        reference_(reference),
        scratch_(*scratch),
        out_(out) {}

  CoreStatus Run() {
    uint8_t coding;
    if (!reader_.ReadU8(&coding)) return CoreStatus::kTruncated;
    const CoreStatus status = Body(static_cast<BlockCoding>(coding));
    if (status != CoreStatus::kOk) return status;
    return reader_.remaining() == 0 ? CoreStatus::kOk : CoreStatus::kBadStream;
  }

 private:
  CoreStatus Body(BlockCoding coding) {
    const bool is_float = IsFloat(dtype_);
    const bool has_reference = !reference_.empty();
    switch (coding) {
      case BlockCoding::kRaw:
        return RawBytes(0);
      case BlockCoding::kConstant:
        return Constant();
      case BlockCoding::kSame:
        if (!has_reference) return CoreStatus::kBadMode;
        std::memcpy(out_.data(), reference_.data(), out_.size());
        return CoreStatus::kOk;
      case BlockCoding::kValue:
        return Planes(is_float ? ElementForm::kFloatValue : ElementForm::kValue);
      case BlockCoding::kXor:
        if (!has_reference) return CoreStatus::kBadMode;
        return Planes(is_float ? ElementForm::kFloatXor : ElementForm::kXor);
      case BlockCoding::kDifference:
        if (!has_reference) return CoreStatus::kBadMode;
        return Planes(is_float ? ElementForm::kFloatDifference : ElementForm::kDifference);
      case BlockCoding::kSparse:
        return has_reference ? Sparse() : CoreStatus::kBadMode;
      case BlockCoding::kTernary:
        return has_reference && dtype_ == DType::kI8 ? Ternary() : CoreStatus::kBadMode;
    }
    return CoreStatus::kBadMode;
  }

  // All of `out` from `begin` on is stored as it is.
  CoreStatus RawBytes(size_t begin) {
    ByteView bytes;
    if (!reader_.ReadBytes(out_.size() - begin, &bytes)) return CoreStatus::kTruncated;
    if (bytes.size > 0) std::memcpy(out_.data() + begin, bytes.data, bytes.size);
    return CoreStatus::kOk;
  }

  // Bytes behind the last whole element.
  CoreStatus Tail() { return RawBytes(count_ * size_); }

  CoreStatus Constant() {
    ByteView element;
    if (!reader_.ReadBytes(size_, &element)) return CoreStatus::kTruncated;
    for (size_t i = 0; i < out_.size() && i < size_; ++i) out_[i] = element.data[i];
    // What is there already is repeated behind it, twice as much each time.
    for (size_t done = size_; done < out_.size(); done *= 2) {
      std::memcpy(out_.data() + done, out_.data(), std::min(done, out_.size() - done));
    }
    return CoreStatus::kOk;
  }

  CoreStatus Planes(ElementForm form) {
    PlaneSources planes{};
    for (size_t p = 0; p < size_; ++p) {
      const CoreStatus status = Plane(HasReference(form), scratch_.planes[p].Get(count_), &planes[p]);
      if (status != CoreStatus::kOk) return status;
    }
    JoinElements(form, size_, planes, reference_.data(), count_, out_.data());
    return Tail();
  }

  CoreStatus Plane(bool may_have_classes, uint8_t* memory, const uint8_t** plane) {
    ByteReader ahead = reader_;
    uint8_t coding;
    if (!ahead.ReadU8(&coding)) return CoreStatus::kTruncated;
    if (static_cast<PlaneCoding>(coding) != PlaneCoding::kClasses) {
      return ReadPlane(&reader_, count_, &scratch_.plane, memory, plane);
    }
    reader_ = ahead;
    if (!may_have_classes || !HasClasses(dtype_)) return CoreStatus::kBadMode;
    *plane = memory;
    return ClassPlane(memory);
  }

  CoreStatus ClassPlane(uint8_t* memory) {
    ElementClasses classes;
    if (!reader_.ReadU8(&classes.top) || !reader_.ReadU8(&classes.count)) return CoreStatus::kTruncated;
    if (classes.count < 2 || classes.count > kMaxElementClasses) return CoreStatus::kBadStream;
    uint8_t* const of = scratch_.classes.Get(count_);
    const ClassCounts counts = ClassesOf(dtype_, classes, reference_.data(), count_, of);
    std::array<const uint8_t*, kMaxElementClasses> sorted{};
    for (size_t c = 0; c < classes.count; ++c) {
      uint8_t* const own = scratch_.sorted[c].Get(counts[c] + kClassSlack);
      const CoreStatus status = ReadPlane(&reader_, counts[c], &scratch_.plane, own, &sorted[c]);
      if (status != CoreStatus::kOk) return status;
      // Bytes stored as they are have nothing behind them that might be read.
      if (sorted[c] != own && counts[c] > 0) std::memcpy(own, sorted[c], counts[c]);
      sorted[c] = own;
    }
    UnsortByClass(sorted, of, count_, classes.count, memory);
    return CoreStatus::kOk;
  }

  CoreStatus Sparse() {
    size_t changed;
    CoreStatus status = ReadGapPlane(&reader_, count_, &scratch_.plane.look, &scratch_.changed, &changed);
    if (status != CoreStatus::kOk) return status;
    PlaneSources planes{};
    for (size_t p = 0; p < size_; ++p) {
      status = ReadPlane(&reader_, changed, &scratch_.plane, scratch_.planes[p].Get(changed), &planes[p]);
      if (status != CoreStatus::kOk) return status;
    }
    const absl::Span<const uint32_t> positions(scratch_.changed.positions.Get(0), changed);
    std::memcpy(out_.data(), reference_.data(), count_ * size_);
    WithElement(size_, [&](auto zero) {
      if (IsFloat(dtype_)) {
        Change<decltype(zero), ElementForm::kFloatDifference>(positions, planes);
      } else {
        Change<decltype(zero), ElementForm::kDifference>(positions, planes);
      }
    });
    return Tail();
  }

  // Adds the differences in `planes` to the elements at `positions` of what is in out_.
  template <class T, ElementForm form>
  void Change(absl::Span<const uint32_t> positions, const PlaneSources& planes) {
    for (size_t i = 0; i < positions.size(); ++i) {
      T difference = 0;
      for (size_t p = 0; p < sizeof(T); ++p) {
        difference = static_cast<T>(difference | static_cast<T>(static_cast<T>(planes[p][i]) << (8 * p)));
      }
      uint8_t* const element = out_.data() + size_t{positions[i]} * sizeof(T);
      StoreElement<T>(element, ElementForms<T>::From(form, difference, LoadElement<T>(element)));
    }
  }

  CoreStatus Ternary() {
    uint8_t phase;
    if (!reader_.ReadU8(&phase)) return CoreStatus::kTruncated;
    if (phase >> kTernaryGroupShift != 0) return CoreStatus::kBadStream;
    size_t changed;
    CoreStatus status = ReadGapPlane(&reader_, count_, &scratch_.plane.look, &scratch_.changed, &changed);
    if (status != CoreStatus::kOk) return status;
    const absl::Span<const uint32_t> positions(scratch_.changed.positions.Get(0), changed);
    const auto group_of = [&](size_t i) { return (positions[i] + phase) >> kTernaryGroupShift; };
    size_t groups = changed > 0 ? 1 : 0;
    for (size_t i = 1; i < changed; ++i) groups += group_of(i) != group_of(i - 1) ? 1 : 0;
    const uint8_t* scales;
    status = ReadPlane(&reader_, groups, &scratch_.plane, scratch_.planes[0].Get(groups), &scales);
    if (status != CoreStatus::kOk) return status;
    ByteView signs;
    if (!reader_.ReadBytes((changed + 7) / 8, &signs)) return CoreStatus::kTruncated;
    if (changed % 8 != 0 && signs.data[signs.size - 1] >> changed % 8 != 0) return CoreStatus::kBadStream;
    if (count_ > 0) std::memcpy(out_.data(), reference_.data(), count_);
    uint32_t group = 0;
    for (size_t i = 0; i < changed; ++i) {
      if (i == 0) group = group_of(0);
      if (group_of(i) != group) {
        group = group_of(i);
        ++scales;
      }
      const int step = signs.data[i / 8] >> i % 8 & 1 ? -int{*scales} : int{*scales};
      out_[positions[i]] = TernaryWeight(out_[positions[i]], step);
    }
    return CoreStatus::kOk;
  }

  const DType dtype_;
  const size_t size_;   // Of an element.
  const size_t count_;  // Whole elements.
  ByteReader reader_;
  const absl::Span<const uint8_t> reference_;
  BlockScratch::Rep& scratch_;
  const absl::Span<uint8_t> out_;
};

}  // namespace

CoreStatus DecodeBlock(DType dtype, absl::Span<const uint8_t> stored, absl::Span<const uint8_t> reference,
                       BlockScratch* scratch, absl::Span<uint8_t> out) {
  if (ElementSize(static_cast<uint8_t>(dtype)) == 0 || out.size() > kMaxBlockSize ||
      (!reference.empty() && reference.size() != out.size())) {
    return CoreStatus::kBadArgument;
  }
  return BlockDecoder(dtype, stored, reference, &scratch->rep(), out).Run();
}

}  // namespace modelvault
