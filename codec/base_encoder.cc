#include "codec/base_encoder.h"

#include <algorithm>

#include "codec/rans_encoder.h"

namespace modelvault {
namespace {

constexpr uint64_t kImpossible = ~uint64_t{0};

}  // namespace

BaseEncoder::BaseEncoder(const Model* model, uint32_t chunk_size) : model_(model), chunk_size_(chunk_size) {
  tables_.resize(model->table_count());
  for (size_t i = 0; i < tables_.size(); ++i) {
    model->ReadTable(static_cast<uint8_t>(i), tables_[i].frequency.data());
    uint16_t sum = 0;
    for (size_t s = 0; s < 256; ++s) {
      tables_[i].start[s] = sum;
      sum = static_cast<uint16_t>(sum + tables_[i].frequency[s]);
    }
  }
}

std::string BaseEncoder::Encode(uint64_t chunk, absl::Span<const uint8_t> raw) const {
  RansEncoder out;
  const uint64_t begin = chunk * chunk_size_;
  auto put = [&](uint8_t table, uint8_t byte) {
    if (table == kRawPlane) {
      out.Raw(byte, 8);
    } else {
      // Without a slot a byte cannot come back; as if it had one, the chunk decodes to something else.
      out.Symbol(tables_[table].start[byte], std::max<uint16_t>(1, tables_[table].frequency[byte]));
    }
  };
  // Cost of a piece of row coded with `table` as differences from `like` (null: as it is).
  auto cost = [&](uint8_t table, absl::Span<const uint8_t> bytes, const uint8_t* like) {
    if (table == kRawPlane) return bytes.size() * 8 * kBitCost;
    uint64_t sum = 0;
    for (size_t j = 0; j < bytes.size(); ++j) {
      const uint8_t byte = static_cast<uint8_t>(bytes[j] - (like != nullptr ? like[j] : 0));
      const uint16_t f = tables_[table].frequency[byte];
      if (f == 0) return kImpossible;
      sum += FrequencyCost(f);
    }
    return sum;
  };
  size_t tensor = raw.empty() ? 0 : model_->FindTensor(begin);
  size_t at = 0;
  while (at < raw.size()) {
    const TensorRecord& t = model_->tensor(tensor);
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
    uint8_t kind = 0;
    const uint8_t* like = nullptr;
    uint64_t best = cost(t.tables[0], piece, nullptr);
    for (unsigned d = 0; d < t.dictionary_rows; ++d) {
      const uint8_t* row = model_->dictionary(t) + d * t.cols + column;
      const uint64_t c = cost(t.near_table, piece, row);
      if (c >= best) continue;
      best = c;
      kind = static_cast<uint8_t>(d + 1);
      like = row;
    }
    put(t.row_table, kind);
    for (size_t j = 0; j < run; ++j) {
      put(kind == 0 ? t.tables[0] : t.near_table, static_cast<uint8_t>(piece[j] - (like != nullptr ? like[j] : 0)));
    }
    at += run;
  }
  return out.Finish();
}

}  // namespace modelvault
