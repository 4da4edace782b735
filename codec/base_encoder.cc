#include "codec/base_encoder.h"

#include <algorithm>
#include <bit>

namespace modelvault {
namespace {

constexpr uint64_t kImpossible = ~uint64_t{0};

// Calls skip(symbol) and differs(byte) for what a copied row is coded as.
template <typename Skip, typename Differs>
void ForEachSkip(absl::Span<const uint8_t> bytes, const uint8_t* like, Skip skip, Differs differs) {
  size_t begin = 0;
  while (begin < bytes.size()) {
    size_t at = begin;
    while (at < bytes.size() && at - begin < kSkipOn && bytes[at] == like[at]) ++at;
    skip(static_cast<uint8_t>(at - begin));
    const bool on = at - begin == kSkipOn;
    begin = at;
    if (!on && at < bytes.size()) {
      differs(static_cast<uint8_t>(bytes[at] - like[at]));
      ++begin;
    }
  }
}

}  // namespace

BaseEncoder::BaseEncoder(const SharedTables* shared, uint32_t chunk_size) : shared_(shared), chunk_size_(chunk_size) {
  for (size_t i = 0; i < shared->table_count(); ++i) {
    CodeLengths lengths;
    shared->ReadTable(static_cast<uint8_t>(i), lengths.length.data(), &lengths.only);
    tables_.emplace_back(lengths);
  }
}

void AddCopiedRow(absl::Span<const uint8_t> bytes, const uint8_t* like, Histogram* skips, Histogram* near) {
  ForEachSkip(
      bytes, like, [&](uint8_t skip) { ++(*skips)[skip]; }, [&](uint8_t byte) { ++(*near)[byte]; });
}

// Bits of a row as a fresh one.
uint64_t BaseEncoder::FreshBits(uint8_t table, absl::Span<const uint8_t> bytes) const {
  if (table == kRawPlane) return bytes.size() * 8;
  uint64_t bits = 0;
  for (uint8_t byte : bytes) {
    if (!tables_[table].lengths().Has(byte)) return kImpossible;
    bits += tables_[table].lengths().length[byte];
  }
  return bits;
}

// Bits of a row as a copy, or kImpossible.
uint64_t BaseEncoder::CopyBits(const TensorRecord& t, absl::Span<const uint8_t> bytes, const uint8_t* like) const {
  uint64_t bits = 0;
  bool possible = true;
  auto add = [&](uint8_t table, uint8_t symbol) {
    const CodeLengths& lengths = tables_[table].lengths();
    possible = possible && lengths.Has(symbol);
    bits += lengths.length[symbol];
  };
  ForEachSkip(
      bytes, like, [&](uint8_t skip) { add(t.skip_table, skip); }, [&](uint8_t byte) { add(t.near_table, byte); });
  return possible ? bits : kImpossible;
}

std::string BaseEncoder::Encode(uint64_t chunk, absl::Span<const uint8_t> raw) const {
  PrefixEncoder out;
  const uint64_t begin = chunk * chunk_size_;
  auto put = [&](uint8_t table, uint8_t byte) {
    if (table == kRawPlane) {
      out.Raw(byte, 8);
    } else {
      // Without a code word a byte cannot come back: the chunk decodes to something else.
      out.Symbol(tables_[table], byte);
    }
  };
  size_t tensor = raw.empty() ? 0 : shared_->FindTensor(static_cast<size_t>(begin));
  size_t at = 0;
  while (at < raw.size()) {
    const TensorRecord& t = shared_->tensor(tensor);
    const uint64_t in_tensor = begin + at - t.offset;
    if (in_tensor == t.size) {
      ++tensor;
      continue;
    }
    size_t run = static_cast<size_t>(std::min<uint64_t>(raw.size() - at, t.size - in_tensor));
    if ((t.flags & kFlagDictionary) == 0) {
      unsigned plane = static_cast<unsigned>(in_tensor % t.element_size);
      for (size_t i = 0; i < run; ++i) {
        put(t.tables[plane], raw[at + i]);
        if (++plane == t.element_size) plane = 0;
      }
      at += run;
      continue;
    }
    const uint64_t column = in_tensor % t.cols;
    run = static_cast<size_t>(std::min<uint64_t>(run, t.cols - column));
    const absl::Span<const uint8_t> piece = raw.subspan(at, run);
    const uint8_t* like = nullptr;
    unsigned copied = 0;
    const unsigned width = static_cast<unsigned>(std::bit_width(t.dictionary_rows - 1u));
    uint64_t best = FreshBits(t.tables[0], piece);
    for (unsigned d = 0; d < t.dictionary_rows; ++d) {
      const uint8_t* row = shared_->dictionary(t) + d * t.cols + column;
      const uint64_t bits = CopyBits(t, piece, row);
      if (bits == kImpossible || bits + width >= best) continue;
      best = bits + width;
      copied = d;
      like = row;
    }
    out.Raw(like != nullptr ? 1 : 0, 1);
    if (like == nullptr) {
      for (uint8_t byte : piece) put(t.tables[0], byte);
    } else {
      out.Raw(copied, width);
      ForEachSkip(
          piece, like, [&](uint8_t skip) { put(t.skip_table, skip); }, [&](uint8_t byte) { put(t.near_table, byte); });
    }
    at += run;
  }
  return out.Finish();
}

}  // namespace modelvault
