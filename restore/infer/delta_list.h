// The differences of a variant's INT8 weights from its base's, decoded once and kept in RAM: what an engine adds to the
// base's product. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_DELTA_LIST_H_
#define MODELVAULT_RESTORE_INFER_DELTA_LIST_H_

#include "codec/core/bytes.h"

namespace modelvault {

// A tensor's differences are a string of bytes. Its first is the tensor's step k. Then, with the place at 0:
//   0 … 249   place += byte / 2; there the weight differs by +k (even) or −k (odd); place += 1
//   250       place += 125
//   251       u8 low, u8 high: place += them; there it differs by the i16 of the two bytes that follow; place += 1
//   255       the end
// Exact: k is any 1 … 127, and 251 says every other difference, those of saturated weights included.
inline constexpr uint8_t kDeltaFarGap = 125;
inline constexpr uint8_t kDeltaSkip = 250;
inline constexpr uint8_t kDeltaExplicit = 251;
inline constexpr uint8_t kDeltaEnd = 255;

class DeltaCursor {
 public:
  DeltaCursor() = default;
  // At the first difference of a tensor whose string begins at `at`; null: it has none.
  explicit DeltaCursor(const uint8_t* at) : at_(at) {
    if (at_ == nullptr) return;
    step_ = *at_++;
    Step();
  }

  // The next difference: its byte in the tensor, SIZE_MAX after the last; and what to add to the base's weight there.
  size_t place() const { return place_; }
  int difference() const { return difference_; }

  void Step() {
    for (;;) {
      const uint8_t byte = *at_++;
      if (byte < kDeltaSkip) {
        place_ = from_ + byte / 2u;
        difference_ = (byte & 1u) != 0 ? -static_cast<int>(step_) : static_cast<int>(step_);
        break;
      }
      if (byte == kDeltaSkip) {
        from_ += kDeltaFarGap;
      } else if (byte == kDeltaExplicit) {
        place_ = from_ + LoadLe16(at_);
        difference_ = static_cast<int16_t>(LoadLe16(at_ + 2));
        at_ += 4;
        break;
      } else {
        place_ = SIZE_MAX;
        --at_;
        return;
      }
    }
    from_ = place_ + 1;
  }

 private:
  const uint8_t* at_ = nullptr;
  size_t from_ = 0;
  size_t place_ = SIZE_MAX;
  int difference_ = 0;
  uint8_t step_ = 0;
};

// Made by DeltaListBuilder, in memory that it owns for as long; so its strings are whole.
class DeltaList {
 public:
  DeltaList() = default;
  // `starts`: for each of `tensors` where its string begins, kNone for none.
  DeltaList(const uint8_t* bytes, const uint32_t* starts, size_t tensors)
      : bytes_(bytes), starts_(starts), tensors_(tensors) {}

  static constexpr uint32_t kNone = 0xFFFFFFFF;

  // Tensor i's string; null: it has no differences.
  const uint8_t* string(size_t i) const { return i < tensors_ && starts_[i] != kNone ? bytes_ + starts_[i] : nullptr; }
  DeltaCursor tensor(size_t i) const { return DeltaCursor(string(i)); }

 private:
  const uint8_t* bytes_ = nullptr;
  const uint32_t* starts_ = nullptr;
  size_t tensors_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_DELTA_LIST_H_
