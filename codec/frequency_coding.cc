#include "codec/frequency_coding.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "codec/core/codec_format.h"
#include "codec/rans_encoder.h"

namespace modelvault {
namespace {

// What one step of a frequency up or down costs in total; integers, so that every machine decides alike.
int64_t StepCost(uint64_t count, uint32_t from, uint32_t to) {
  return static_cast<int64_t>(count) * (static_cast<int64_t>(FrequencyCost(to)) - FrequencyCost(from));
}

unsigned GolombBits(uint32_t f, unsigned order) {
  const unsigned length = static_cast<unsigned>(std::bit_width(f + (1u << order)));
  return 2 * (length - 1) - order + 1;
}

class BitWriter {
 public:
  explicit BitWriter(std::string* out) : out_(out) {}
  void Write(uint32_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (used_ == 0) out_->push_back(0);
      out_->back() = static_cast<char>(out_->back() | (((value >> i) & 1) << used_));
      used_ = (used_ + 1) % 8;
    }
  }

 private:
  std::string* out_;
  unsigned used_ = 0;
};

}  // namespace

Frequencies NormalizeFrequencies(const Histogram& histogram) {
  uint64_t total = 0;
  for (uint64_t count : histogram) total += count;
  Frequencies f{};
  int64_t left = kProbabilityScale;
  for (size_t s = 0; s < 256; ++s) {
    if (histogram[s] == 0) continue;
    const uint64_t share = (histogram[s] * kProbabilityScale + total / 2) / total;
    f[s] = static_cast<uint16_t>(std::max<uint64_t>(1, share));
    left -= f[s];
  }
  // Rounding left the sum a little off: move the steps that hurt least.
  while (left != 0) {
    const int step = left > 0 ? 1 : -1;
    int best = -1;
    int64_t best_cost = 0;
    for (int s = 0; s < 256; ++s) {
      if (f[s] == 0 || f[s] + step < 1 || f[s] + step > static_cast<int>(kProbabilityScale)) continue;
      const int64_t cost = StepCost(histogram[s], f[s], static_cast<uint32_t>(f[s] + step));
      if (best < 0 || cost < best_cost) {
        best = s;
        best_cost = cost;
      }
    }
    f[best] = static_cast<uint16_t>(f[best] + step);
    left -= step;
  }
  return f;
}

std::string SerializeFrequencies(const Frequencies& frequencies) {
  unsigned first = 256, last = 0;  // Places in signed order.
  for (unsigned place = 0; place < 256; ++place) {
    if (frequencies[place ^ 0x80u] == 0) continue;
    first = std::min(first, place);
    last = place;
  }
  unsigned order = 0;
  uint64_t best = ~uint64_t{0};
  for (unsigned k = 0; k <= kMaxGolombOrder; ++k) {
    uint64_t bits = 0;
    for (unsigned place = first; place <= last; ++place) bits += GolombBits(frequencies[place ^ 0x80u], k);
    if (bits < best) {
      best = bits;
      order = k;
    }
  }
  std::string out;
  out.push_back(static_cast<char>(first ^ 0x80u));
  out.push_back(static_cast<char>(last ^ 0x80u));
  out.push_back(static_cast<char>(order));
  BitWriter writer(&out);
  for (unsigned place = first; place <= last; ++place) {
    const uint32_t v = frequencies[place ^ 0x80u] + (1u << order);
    const unsigned low = static_cast<unsigned>(std::bit_width(v)) - 1;
    writer.Write((1u << (low - order)) - 1, low - order + 1);  // Ones, then a zero.
    writer.Write(v, low);
  }
  return out;
}

uint64_t CodedCost(const Histogram& histogram, const Frequencies& frequencies) {
  uint64_t cost = 0;
  for (size_t s = 0; s < 256; ++s) {
    if (histogram[s] != 0) cost += histogram[s] * FrequencyCost(frequencies[s]);
  }
  return cost;
}

}  // namespace modelvault
