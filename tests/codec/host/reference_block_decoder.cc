#include "tests/codec/host/reference_block_decoder.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace modelvault {
namespace {

struct NoMeaning {};

void Require(bool holds) {
  if (!holds) throw NoMeaning();
}

class Page {
 public:
  Page(DType dtype, const Bytes& stored, const Bytes& reference, size_t size)
      : dtype_(dtype),
        stored_(stored),
        reference_(reference),
        size_(size),
        w_(ElementSize(static_cast<uint8_t>(dtype))) {}

  Bytes Block() {
    const int coding = U8();
    const size_t n = size_ / w_;
    Require(coding <= 1 || coding == 3 || !reference_.empty());
    Bytes piece;
    if (coding == 0) {
      piece = Take(size_);
    } else if (coding == 1) {
      const Bytes element = Take(w_);
      for (size_t i = 0; i < size_; ++i) piece.push_back(element[i % w_]);
    } else if (coding == 2) {
      piece = reference_;
    } else if (coding <= 5) {
      std::vector<Bytes> planes;
      for (size_t p = 0; p < w_; ++p) planes.push_back(Plane(n, 3, coding != 3));
      for (size_t i = 0; i < n; ++i) Append(Element(coding, Join(planes, i), coding == 3 ? 0 : Reference(i)), &piece);
      Join(&piece, Take(size_ - n * w_));
    } else if (coding == 6) {
      const std::vector<size_t> positions = Gaps(n);
      std::vector<Bytes> planes;
      for (size_t p = 0; p < w_; ++p) planes.push_back(Plane(positions.size(), 3, false));
      std::map<size_t, uint64_t> changed;
      for (size_t i = 0; i < positions.size(); ++i) changed[positions[i]] = Join(planes, i);
      for (size_t i = 0; i < n; ++i) {
        Append(changed.count(i) ? Element(5, changed[i], Reference(i)) : Reference(i), &piece);
      }
      Join(&piece, Take(size_ - n * w_));
    } else {
      Require(coding == 7 && dtype_ == DType::kI8);
      piece = Ternary(n);
    }
    Require(at_ == stored_.size());
    return piece;
  }

 private:
  uint8_t U8() {
    Require(at_ < stored_.size());
    return stored_[at_++];
  }
  Bytes Take(size_t count) {
    Require(count <= stored_.size() - at_);
    at_ += count;
    return Bytes(stored_.begin() + static_cast<std::ptrdiff_t>(at_ - count),
                 stored_.begin() + static_cast<std::ptrdiff_t>(at_));
  }
  size_t Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t byte = U8();
      Require(shift < 63 && (byte != 0 || shift == 0));
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  static void Join(Bytes* piece, const Bytes& more) { piece->insert(piece->end(), more.begin(), more.end()); }
  static uint64_t Join(const std::vector<Bytes>& planes, size_t i) {
    uint64_t value = 0;
    for (size_t p = 0; p < planes.size(); ++p) value += static_cast<uint64_t>(planes[p][i]) << (8 * p);
    return value;
  }
  void Append(uint64_t element, Bytes* piece) const {
    for (size_t b = 0; b < w_; ++b) piece->push_back(static_cast<uint8_t>(element >> (8 * b)));
  }
  uint64_t Reference(size_t i) const {
    uint64_t element = 0;
    for (size_t b = 0; b < w_; ++b) element += static_cast<uint64_t>(reference_[i * w_ + b]) << (8 * b);
    return element;
  }

  uint64_t Modulo(uint64_t v) const { return w_ == 8 ? v : v & ((uint64_t{1} << (8 * w_)) - 1); }
  uint64_t TopBit() const { return uint64_t{1} << (8 * w_ - 1); }
  uint64_t Line(uint64_t v) const { return (v & TopBit()) != 0 ? v ^ (TopBit() - 1) : v; }
  uint64_t RotatedBack(uint64_t v) const { return Modulo(v >> 1) + ((v & 1) != 0 ? TopBit() : 0); }
  uint64_t Unzigzag(uint64_t z) const { return Modulo(z % 2 == 0 ? z / 2 : 0 - (z / 2) - 1); }

  uint64_t Element(int coding, uint64_t form, uint64_t reference) const {
    const bool is_float = dtype_ >= DType::kF16;
    if (coding == 3) return is_float ? RotatedBack(form) : form;
    if (coding == 4) return (is_float ? RotatedBack(form) : form) ^ reference;
    // line() undoes itself.
    return is_float ? Line(Modulo(Unzigzag(form) + Line(reference))) : Modulo(Unzigzag(form) + reference);
  }

  uint8_t Key(size_t i) const {
    const uint64_t r = Reference(i);
    if (dtype_ == DType::kBf16) return static_cast<uint8_t>(r >> 7 & 255);
    if (dtype_ == DType::kF16) return static_cast<uint8_t>(r >> 10 & 31);
    if (dtype_ == DType::kF32) return static_cast<uint8_t>(r >> 23 & 255);
    return static_cast<uint8_t>(r >> 55 & 255);
  }

  Bytes Plane(size_t m, int most, bool classes_too) {
    const int coding = U8();
    if (coding == 4 && classes_too) return Classes(m);
    Require(coding <= most);
    if (coding == 0) return Take(m);
    if (coding == 1) return Bytes(m, U8());
    if (coding == 2) return Prefix(m);
    Bytes plane(m, U8());
    const std::vector<size_t> positions = Gaps(m);
    const Bytes values = Plane(positions.size(), 2, false);
    for (size_t i = 0; i < positions.size(); ++i) plane[positions[i]] = values[i];
    return plane;
  }

  Bytes Classes(size_t m) {
    Require(dtype_ >= DType::kF16);
    const int top = U8(), count = U8();
    Require(count >= 2 && count <= 8);
    std::vector<std::vector<size_t>> elements(static_cast<size_t>(count));
    for (size_t i = 0; i < m; ++i) elements[static_cast<size_t>(std::clamp(top - Key(i), 0, count - 1))].push_back(i);
    Bytes plane(m);
    for (const std::vector<size_t>& of_class : elements) {
      const Bytes bytes = Plane(of_class.size(), 3, false);
      for (size_t i = 0; i < of_class.size(); ++i) plane[of_class[i]] = bytes[i];
    }
    return plane;
  }

  Bytes Prefix(size_t m) {
    const int first = U8(), last = U8();
    Require(first < last);
    // From (length, word) to byte.
    std::map<std::pair<int, int>, uint8_t> words;
    std::vector<std::pair<int, uint8_t>> order;
    int sum = 0;
    for (int s = first; s <= last; s += 2) {
      const int pair = U8();
      for (int i = 0; i < 2; ++i) {
        const int length = i == 0 ? pair & 15 : pair >> 4;
        Require(length <= 11 && (s + i <= last || length == 0));
        Require(length != 0 || (s + i != first && s + i != last));
        if (length == 0) continue;
        order.push_back({length, static_cast<uint8_t>(s + i)});
        sum += 2048 >> length;
      }
    }
    Require(sum == 2048);
    std::sort(order.begin(), order.end());
    int word = 0, length_before = 0;
    for (const auto& [length, byte] : order) {
      word = (length_before == 0 ? 0 : word + 1) << (length - length_before);
      words[{length, word}] = byte;
      length_before = length;
    }
    size_t sizes[4];
    for (size_t& size : sizes) size = Varint();
    const size_t q = (m + 3) / 4;
    Bytes plane;
    for (size_t i = 0; i < 4; ++i) {
      const Bytes stream = Take(sizes[i]);
      size_t bit = 0;
      const auto next = [&] {
        Require(bit < 8 * stream.size());
        const int value = stream[bit / 8] >> (7 - bit % 8) & 1;
        ++bit;
        return value;
      };
      for (size_t j = i * q; j < std::min(m, (i + 1) * q); ++j) {
        std::pair<int, int> read = {0, 0};
        while (words.count(read) == 0) read = {read.first + 1, 2 * read.second + next()};
        plane.push_back(words[read]);
      }
      Require(8 * stream.size() - bit < 8);
      while (bit < 8 * stream.size()) Require(next() == 0);
    }
    return plane;
  }

  std::vector<size_t> Gaps(size_t m) {
    const size_t count = Varint(), gap_count = Varint();
    Require(count <= m && gap_count <= count + m / 255);
    const Bytes gaps = Plane(gap_count, 2, false);
    Require(gaps.empty() || gaps.back() != 255);
    std::vector<size_t> positions;
    size_t at = 0;
    for (const uint8_t gap : gaps) {
      at += gap;
      if (gap == 255) continue;
      positions.push_back(at++);
    }
    Require(positions.size() == count && at <= m);
    return positions;
  }

  Bytes Ternary(size_t n) {
    const size_t phase = U8();
    Require(phase < 128);
    const std::vector<size_t> positions = Gaps(n);
    std::vector<size_t> groups;
    for (const size_t i : positions) groups.push_back((i + phase) / 128);
    std::vector<size_t> distinct = groups;
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    const Bytes scales = Plane(distinct.size(), 3, false);
    const Bytes signs = Take((positions.size() + 7) / 8);
    Bytes piece(reference_.begin(), reference_.begin() + static_cast<std::ptrdiff_t>(n));
    for (size_t i = 0; i < 8 * signs.size(); ++i) {
      const bool negative = (signs[i / 8] >> (i % 8) & 1) != 0;
      if (i >= positions.size()) {
        Require(!negative);
        continue;
      }
      const size_t g = static_cast<size_t>(std::find(distinct.begin(), distinct.end(), groups[i]) - distinct.begin());
      uint8_t& weight = piece[positions[i]];
      const int sum = static_cast<int8_t>(weight) + (negative ? -scales[g] : scales[g]);
      weight = static_cast<uint8_t>(std::clamp(sum, -128, 127));
    }
    return piece;
  }

  const DType dtype_;
  const Bytes& stored_;
  const Bytes& reference_;
  const size_t size_;
  const size_t w_;
  size_t at_ = 0;
};

}  // namespace

std::optional<Bytes> DecodeByThePage(DType dtype, const Bytes& stored, const Bytes& reference, size_t size) {
  try {
    return Page(dtype, stored, reference, size).Block();
  } catch (NoMeaning) {
    return std::nullopt;
  }
}

}  // namespace modelvault
