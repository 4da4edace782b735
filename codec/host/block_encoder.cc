#include <algorithm>
#include <array>
#include <bitset>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "codec/core/bytes.h"
#include "codec/host/block_codec.h"
#include "codec/host/block_scratch.h"
#include "codec/host/plane_codec.h"
#include "codec/host/sample_parts.h"
#include "codec/host/ternary_weight.h"

namespace modelvault {
namespace {

constexpr size_t kClassesWorth = 4096;  // Elements: fewer are not sorted into classes.
constexpr size_t kRareClass = 128;      // A class is not made for less than one in so many elements.

// One block being made.
class BlockEncoder {
 public:
  BlockEncoder(DType dtype, absl::Span<const uint8_t> data, absl::Span<const uint8_t> reference,
               BlockScratch::Rep* scratch)
      : dtype_(dtype),
        size_(ElementSize(static_cast<uint8_t>(dtype))),
        count_(data.size() / size_),
        data_(data),
        reference_(reference),
        scratch_(*scratch) {}

  void AppendTo(std::string* out) {
    if (!reference_.empty() && data_ == reference_) return AppendCoding(BlockCoding::kSame, out);
    if (IsConstant()) {
      AppendCoding(BlockCoding::kConstant, out);
      return AppendBytes(data_.subspan(0, size_), out);
    }
    const size_t begin = out->size();
    if (reference_.empty()) {
      Planes(BlockCoding::kValue, out);
    } else {
      AgainstReference(out);
    }
    if (out->size() - begin > data_.size()) {
      out->resize(begin);
      AppendCoding(BlockCoding::kRaw, out);
      AppendBytes(data_, out);
    }
  }

 private:
  static void AppendCoding(BlockCoding coding, std::string* out) { out->push_back(static_cast<char>(coding)); }
  static void AppendBytes(absl::Span<const uint8_t> bytes, std::string* out) {
    out->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  bool IsConstant() const {
    return count_ > 0 && std::memcmp(data_.data(), data_.data() + size_, data_.size() - size_) == 0;
  }

  // A few ways are tried, where no estimate tells which is best.
  void AgainstReference(std::string* out) {
    const size_t changed = CountChanged(size_, data_.data(), reference_.data(), count_);
    const size_t begin = out->size();
    if (changed <= count_ / 4) {
      FindChanged(changed);
      Sparse(changed, out);
      if (dtype_ == DType::kI8) {
        scratch_.second.clear();
        if (Ternary(changed, &scratch_.second)) KeepSmaller(begin, out);
      }
      // Bytes' planes would say the same; larger elements' might say the values better.
      if (size_ == 1 || changed <= count_ / 16) return;
    }
    scratch_.second.clear();
    Planes(XorLooksBetter() ? BlockCoding::kXor : BlockCoding::kDifference, &scratch_.second);
    KeepSmaller(begin, out);
    if (out->size() - begin > data_.size() / 5 * 3) {
      scratch_.second.clear();
      Planes(BlockCoding::kValue, &scratch_.second);
      KeepSmaller(begin, out);
    }
  }

  // Replaces what `out` has from `begin` on, if anything, by scratch_.second if that is smaller.
  void KeepSmaller(size_t begin, std::string* out) {
    if (out->size() > begin && out->size() - begin <= scratch_.second.size()) return;
    out->resize(begin);
    out->append(scratch_.second);
  }

  // By the bits below the highest one, of some elements.
  bool XorLooksBetter() const {
    const ElementForm with_xor = IsFloat(dtype_) ? ElementForm::kFloatXor : ElementForm::kXor;
    const ElementForm with_difference = DifferenceForm();
    return WithElement(size_, [&](auto zero) {
      using T = decltype(zero);
      size_t xor_bits = 0, difference_bits = 0;
      for (const SamplePart part : SampleParts(count_)) {
        for (size_t i = part.begin; i < part.begin + part.size; ++i) {
          const T v = LoadElement<T>(&data_[i * sizeof(T)]);
          const T ref = LoadElement<T>(&reference_[i * sizeof(T)]);
          xor_bits += BitLength(ElementForms<T>::To(with_xor, v, ref));
          difference_bits += BitLength(ElementForms<T>::To(with_difference, v, ref));
        }
      }
      return xor_bits < difference_bits;
    });
  }

  static size_t BitLength(uint64_t v) { return v == 0 ? 0 : 64 - static_cast<size_t>(__builtin_clzll(v)); }

  ElementForm DifferenceForm() const {
    return IsFloat(dtype_) ? ElementForm::kFloatDifference : ElementForm::kDifference;
  }
  ElementForm FormOf(BlockCoding coding) const {
    if (coding == BlockCoding::kDifference) return DifferenceForm();
    if (coding == BlockCoding::kXor) return IsFloat(dtype_) ? ElementForm::kFloatXor : ElementForm::kXor;
    return IsFloat(dtype_) ? ElementForm::kFloatValue : ElementForm::kValue;
  }

  void Planes(BlockCoding coding, std::string* out) {
    const ElementForm form = FormOf(coding);
    PlaneTargets planes{};
    for (size_t p = 0; p < size_; ++p) planes[p] = scratch_.planes[p].Get(count_);
    SplitElements(form, size_, data_.data(), reference_.data(), count_, planes);
    AppendCoding(coding, out);
    const bool classes = HasReference(form) && HasClasses(dtype_) && count_ >= kClassesWorth && MakeClasses();
    for (size_t p = 0; p < size_; ++p) {
      const absl::Span<const uint8_t> plane(planes[p], count_);
      if (classes && !MostlyOne(plane)) {
        ClassPlane(plane, out);
      } else {
        AppendPlane(plane, &scratch_.plane, out);
      }
    }
    AppendBytes(data_.subspan(count_ * size_), out);
  }

  // Exceptions will do, whatever class they are of.
  static bool MostlyOne(absl::Span<const uint8_t> plane) {
    ByteCounts counts{};
    size_t sampled = 0;
    for (const SamplePart part : SampleParts(plane.size())) {
      for (const uint8_t byte : plane.subspan(part.begin, part.size)) ++counts[byte];
      sampled += part.size;
    }
    return *std::max_element(counts.begin(), counts.end()) > sampled - sampled / 8;
  }

  // Chooses classes: the largest exponents, of a sixteenth of the elements at least, are a class, and each smaller
  // one is until the rest is rare. False if there would be but one class.
  bool MakeClasses() {
    std::array<uint32_t, 256> keys{};
    size_t sampled = 0;
    for (const SamplePart part : SampleParts(count_)) {
      for (size_t i = part.begin; i < part.begin + part.size; ++i) ++keys[ClassKey(dtype_, &reference_[i * size_])];
      sampled += part.size;
    }
    size_t above = 0, key = keys.size();
    while (above < sampled / 16) above += keys[--key];
    classes_ = {static_cast<uint8_t>(key), 1};
    while (classes_.count < kMaxElementClasses && key > 0 && sampled - above > sampled / kRareClass) {
      ++classes_.count;
      above += keys[--key];
    }
    if (classes_.count < 2) return false;
    class_counts_ = ClassesOf(dtype_, classes_, reference_.data(), count_, scratch_.classes.Get(count_));
    return true;
  }

  void ClassPlane(absl::Span<const uint8_t> plane, std::string* out) {
    const size_t classes = classes_.count;
    std::array<uint8_t*, kMaxElementClasses> sorted{};
    for (size_t c = 0; c < classes; ++c) sorted[c] = scratch_.sorted[c].Get(class_counts_[c] + kClassSlack);
    SortByClass(plane.data(), scratch_.classes.Get(count_), count_, classes, sorted);
    std::array<PlanePlan, kMaxElementClasses> plans;
    ByteCounts all{};
    size_t by_class = 3;
    for (size_t c = 0; c < classes; ++c) {
      const ByteCounts counts = CountBytes({sorted[c], class_counts_[c]});
      for (size_t s = 0; s < all.size(); ++s) all[s] += counts[s];
      plans[c] = PlanPlane(counts, class_counts_[c]);
      by_class += plans[c].estimated_size;
    }
    const PlanePlan together = PlanPlane(all, count_);
    if (by_class + by_class / 64 > together.estimated_size) {
      return AppendPlannedPlane(plane, together, &scratch_.plane, out);
    }
    out->push_back(static_cast<char>(PlaneCoding::kClasses));
    out->push_back(static_cast<char>(classes_.top));
    out->push_back(static_cast<char>(classes_.count));
    for (size_t c = 0; c < classes; ++c) {
      AppendPlannedPlane({sorted[c], class_counts_[c]}, plans[c], &scratch_.plane, out);
    }
  }

  void FindChanged(size_t changed) {
    uint32_t* position = scratch_.changed.positions.Get(changed);
    const size_t bytes = count_ * size_;
    size_t at = 0;  // In bytes, at the begin of an element.
    while (at < bytes) {
      if (at + 8 <= bytes) {
        const uint64_t differing = LoadLe64(&data_[at]) ^ LoadLe64(&reference_[at]);
        if (differing == 0) {
          at += 8;
          continue;
        }
        at += static_cast<size_t>(__builtin_ctzll(differing)) / 8 / size_ * size_;
      } else if (std::memcmp(&data_[at], &reference_[at], size_) == 0) {
        at += size_;
        continue;
      }
      *position++ = static_cast<uint32_t>(at / size_);
      at += size_;
    }
  }

  absl::Span<const uint32_t> Changed(size_t changed) { return {scratch_.changed.positions.Get(changed), changed}; }

  void Sparse(size_t changed, std::string* out) {
    AppendCoding(BlockCoding::kSparse, out);
    AppendGaps(Changed(changed), count_, &scratch_.changed.bytes, &scratch_.plane.streams, out);
    uint8_t* const elements = scratch_.changed_elements.Get(2 * changed * size_);
    uint8_t* const references = elements + changed * size_;
    for (size_t i = 0; i < changed; ++i) {
      const size_t at = Changed(changed)[i] * size_;
      std::memcpy(elements + i * size_, &data_[at], size_);
      std::memcpy(references + i * size_, &reference_[at], size_);
    }
    PlaneTargets planes{};
    for (size_t p = 0; p < size_; ++p) planes[p] = scratch_.planes[p].Get(changed);
    SplitElements(DifferenceForm(), size_, elements, references, changed, planes);
    for (size_t p = 0; p < size_; ++p) AppendPlane({planes[p], changed}, &scratch_.plane, out);
    AppendBytes(data_.subspan(count_ * size_), out);
  }

  // False, and what is appended is of no use, if some group of weights has no one scale.
  bool Ternary(size_t changed, std::string* out) {
    const absl::Span<const uint32_t> positions = Changed(changed);
    if (TernaryWithPhase(0, positions, out)) return true;
    const std::optional<uint8_t> phase = FindPhase(positions);
    if (!phase.has_value()) return false;
    out->clear();
    return TernaryWithPhase(*phase, positions, out);
  }

  // Where a piece begins inside a group, the groups' borders show by their scales: between two neighbours that moved by
  // different steps there is one.
  std::optional<uint8_t> FindPhase(absl::Span<const uint32_t> positions) const {
    constexpr size_t kGroup = size_t{1} << kTernaryGroupShift;
    std::bitset<kGroup> borders;  // Where a group may begin, modulo kGroup.
    borders.set();
    for (size_t i = 1; i < positions.size(); ++i) {
      const size_t before = positions[i - 1], at = positions[i];
      if (at - before >= kGroup || std::abs(StepAt(before)) == std::abs(StepAt(at))) continue;
      // A weight at its limit may have moved by less than the scale.
      if (IsLimit(data_[before]) || IsLimit(data_[at])) continue;
      std::bitset<kGroup> between;
      for (size_t b = before + 1; b <= at; ++b) between.set(b % kGroup);
      borders &= between;
      if (borders.none()) return std::nullopt;
    }
    size_t border = 0;
    while (!borders[border]) ++border;
    return static_cast<uint8_t>((kGroup - border) % kGroup);
  }

  static bool IsLimit(uint8_t weight) { return weight == 0x7F || weight == 0x80; }

  bool TernaryWithPhase(uint8_t phase, absl::Span<const uint32_t> positions, std::string* out) {
    const size_t changed = positions.size();
    AppendCoding(BlockCoding::kTernary, out);
    out->push_back(static_cast<char>(phase));
    std::string signs((changed + 7) / 8, '\0');
    uint8_t* const scales = scratch_.planes[0].Get(changed);
    size_t groups = 0;
    for (size_t i = 0; i < changed;) {
      const uint32_t group = (positions[i] + phase) >> kTernaryGroupShift;
      size_t end = i;
      int scale = 0;
      for (; end < changed && (positions[end] + phase) >> kTernaryGroupShift == group; ++end) {
        const int step = StepAt(positions[end]);
        if (step < 0) signs[end / 8] = static_cast<char>(static_cast<uint8_t>(signs[end / 8]) | 1u << end % 8);
        scale = std::max(scale, std::abs(step));
      }
      for (; i < end; ++i) {
        const int step = StepAt(positions[i]) < 0 ? -scale : scale;
        if (TernaryWeight(reference_[positions[i]], step) != data_[positions[i]]) return false;
      }
      scales[groups++] = static_cast<uint8_t>(scale);
    }
    AppendGaps(positions, count_, &scratch_.changed.bytes, &scratch_.plane.streams, out);
    AppendPlane({scales, groups}, &scratch_.plane, out);
    out->append(signs);
    return true;
  }

  int StepAt(size_t at) const { return static_cast<int8_t>(data_[at]) - static_cast<int8_t>(reference_[at]); }

  const DType dtype_;
  const size_t size_;   // Of an element.
  const size_t count_;  // Whole elements.
  const absl::Span<const uint8_t> data_;
  const absl::Span<const uint8_t> reference_;
  BlockScratch::Rep& scratch_;
  ElementClasses classes_;
  ClassCounts class_counts_{};
};

}  // namespace

void EncodeBlock(DType dtype, absl::Span<const uint8_t> data, absl::Span<const uint8_t> reference,
                 BlockScratch* scratch, std::string* out) {
  BlockEncoder(dtype, data, reference, &scratch->rep()).AppendTo(out);
}

}  // namespace modelvault
