#include "codec/rans_encoder.h"

#include <algorithm>

#include "codec/core/gap_tables.h"

namespace modelvault {
namespace {

#include "codec/cost_tables.inc"

// The state and the words it has shed, newest first.
class ReverseCoder {
 public:
  void Put(uint32_t s, uint32_t f, unsigned bits) {
    if (x_ >= (uint64_t{f} << (32 - bits))) {
      words_.push_back(static_cast<uint16_t>(x_));
      x_ >>= 16;
    }
    x_ = ((x_ / f) << bits) + x_ % f + s;
  }

  std::string Take() const {
    std::string out;
    out.reserve(4 + 2 * words_.size());
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(x_ >> (8 * i)));
    for (size_t i = words_.size(); i-- > 0;) {
      out.push_back(static_cast<char>(words_[i]));
      out.push_back(static_cast<char>(words_[i] >> 8));
    }
    return out;
  }

 private:
  uint64_t x_ = kRansLow;
  std::vector<uint16_t> words_;
};

void PutGapSymbol(ReverseCoder* coder, unsigned table, unsigned q) {
  const uint32_t start = kGapStarts[table][q];
  const uint32_t end = q + 1 < kGapSymbolCount ? kGapStarts[table][q + 1] : kProbabilityScale;
  coder->Put(start, end - start, kProbabilityBits);
}

}  // namespace

void RansEncoder::SetLastGap(size_t ticket, uint32_t count) {
  // The gap must reach `count`; a multiple of 2^shift leaves the raw bits zero and needs the smallest symbol that will
  // do.
  const unsigned shift = GapShift(ops_[ticket].size);
  SetGap(ticket, ((count + (1u << shift) - 1) >> shift) << shift, false);
}

std::string RansEncoder::Finish() {
  ReverseCoder coder;
  constexpr unsigned kEscape = kGapSymbolCount - 1;
  for (size_t i = ops_.size(); i-- > 0;) {
    const Op& op = ops_[i];
    switch (op.kind) {
      case Kind::kSymbol:
        coder.Put(op.value, op.size, kProbabilityBits);
        break;
      case Kind::kRaw:
        if (op.size > 0) coder.Put(op.value, 1, op.size);
        break;
      case Kind::kGap: {
        const unsigned shift = GapShift(op.size);
        const unsigned table = GapTable(op.size);
        const uint32_t gap = op.value >> 1;
        const uint32_t q = gap >> shift;
        const uint32_t low = gap & ((1u << shift) - 1);
        coder.Put((low << 1) | (op.value & 1), 1, shift + 1);
        PutGapSymbol(&coder, table, q % kEscape);
        for (uint32_t escapes = q / kEscape; escapes > 0; --escapes) PutGapSymbol(&coder, table, kEscape);
        break;
      }
    }
  }
  ops_.clear();
  return coder.Take();
}

void CostCounter::Symbol(uint32_t, uint32_t f) { cost_ += kFrequencyCost[f]; }

uint32_t FrequencyCost(uint32_t f) { return kFrequencyCost[f]; }
uint32_t HitCost(unsigned level) { return kHitCost[level]; }
uint32_t MissCost(unsigned level) { return kMissCost[level]; }

}  // namespace modelvault
