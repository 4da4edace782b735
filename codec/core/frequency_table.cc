#include "codec/core/frequency_table.h"

namespace modelvault {
namespace {

// Least significant bit first, with what is left of the last byte required to be zero.
class BitReader {
 public:
  explicit BitReader(ByteReader* reader) : reader_(reader) {}

  bool Read(unsigned count, uint32_t* out) {
    uint32_t value = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (left_ == 0) {
        if (!reader_->ReadU8(&byte_)) return false;
        left_ = 8;
      }
      value |= static_cast<uint32_t>(byte_ & 1) << i;
      byte_ = static_cast<uint8_t>(byte_ >> 1);
      --left_;
    }
    *out = value;
    return true;
  }

  bool RestIsZero() const { return left_ == 0 || byte_ == 0; }

 private:
  ByteReader* reader_;
  uint8_t byte_ = 0;
  unsigned left_ = 0;
};

}  // namespace

CoreStatus ReadFrequencies(ByteReader* reader, uint16_t frequencies[256]) {
  uint8_t first, last, order;
  if (!reader->ReadU8(&first) || !reader->ReadU8(&last) || !reader->ReadU8(&order)) return CoreStatus::kTruncated;
  const unsigned from = first ^ 0x80u;  // Places in signed order.
  const unsigned to = last ^ 0x80u;
  if (from > to || order > kMaxGolombOrder) return CoreStatus::kBadTable;
  memset(frequencies, 0, 256 * sizeof(frequencies[0]));
  BitReader bits(reader);
  uint32_t sum = 0;
  for (unsigned place = from; place <= to; ++place) {
    unsigned length = order;  // Bits below the leading one.
    for (;;) {
      uint32_t more;
      if (!bits.Read(1, &more)) return CoreStatus::kTruncated;
      if (more == 0) break;
      if (++length > kProbabilityBits + 1) return CoreStatus::kBadTable;
    }
    uint32_t low;
    if (!bits.Read(length, &low)) return CoreStatus::kTruncated;
    const uint32_t f = ((1u << length) | low) - (1u << order);
    if (f > kProbabilityScale - sum) return CoreStatus::kBadTable;
    sum += f;
    frequencies[place ^ 0x80u] = static_cast<uint16_t>(f);
  }
  if (!bits.RestIsZero() || sum != kProbabilityScale) return CoreStatus::kBadTable;
  return CoreStatus::kOk;
}

void DecodeTable::Build(const uint16_t frequencies[256]) {
  uint32_t sum = 0;
  for (unsigned s = 0; s < 256; ++s) {
    const uint16_t f = frequencies[s];
    start[s] = static_cast<uint16_t>(sum);
    frequency[s] = f;
    memset(symbol + sum, static_cast<int>(s), f);
    sum += f;
  }
}

}  // namespace modelvault
