// What the codec's fuzz targets do with an input: the core decoders on bytes of anybody's making, their promises
// checked with aborts. tests/codec/fuzz_seeds_test.cc runs the same on the seeds, which must decode.
//
// Inputs are made of pieces: a `piece` is u16 length and that many bytes, `rest` is what is left.
//   model:       rest = MODEL
//   layout:      piece MODEL, rest = stored layout
//   base_chunk:  u8 chunk size (256 << n % 5), u8 chunk, piece MODEL, rest = the chunk
//   segment:     u8 segment (of 4,096 bytes), piece MODEL, piece stored layout (empty: the base's), rest = the segment
#ifndef MODELVAULT_TESTS_FUZZ_CODEC_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_CODEC_TARGETS_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "codec/core/base_decoder.h"
#include "codec/core/prediction.h"
#include "codec/core/segment_decoder.h"
#include "codec/core/shared_tables.h"
#include "codec/core/variant_layout.h"
#include "codec/split_mix_64.h"

namespace modelvault {

inline void Check(bool promise) {
  if (!promise) std::abort();
}

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  // Copies on the heap, exactly as large: a read past their end is one past the allocation's.
  std::vector<uint8_t> Piece() {
    const size_t low = Byte();
    const size_t length = low + 256u * Byte();
    return Take(length < left_ ? length : left_);
  }
  std::vector<uint8_t> Rest() { return Take(left_); }

 private:
  std::vector<uint8_t> Take(size_t size) {
    std::vector<uint8_t> bytes(size);
    if (size > 0) std::memcpy(bytes.data(), data_, size);
    data_ += size;
    left_ -= size;
    return bytes;
  }

  const uint8_t* data_;
  size_t left_;
};

// MODEL with its memory.
struct FuzzModel {
  explicit FuzzModel(std::vector<uint8_t> bytes) : section(std::move(bytes)) {
    uint64_t count;
    status = SharedTables::CountTensors({section.data(), section.size()}, &count);
    if (status != CoreStatus::kOk) return;
    Check(count <= section.size());
    records.resize(static_cast<size_t>(count));
    status = shared.Parse({section.data(), section.size()}, records.data(), records.size());
  }

  std::vector<uint8_t> section;
  std::vector<TensorRecord> records;
  SharedTables shared;
  CoreStatus status;
};

inline CoreStatus FuzzModelSection(const uint8_t* data, size_t size) {
  const FuzzModel fuzzed(FuzzInput(data, size).Rest());
  if (fuzzed.status != CoreStatus::kOk) return fuzzed.status;
  const SharedTables& shared = fuzzed.shared;
  Check(shared.table_count() <= kMaxTables);
  for (size_t i = 0; i < shared.table_count(); ++i) {
    uint8_t lengths[256];
    int only;
    shared.ReadTable(static_cast<uint8_t>(i), lengths, &only);
    uint32_t sum = 0;
    for (uint8_t length : lengths) {
      Check(length <= kMaxCodeLength);
      if (length != 0) sum += (1u << kMaxCodeLength) >> length;
    }
    Check(only < 0 ? sum == 1u << kMaxCodeLength : sum == 0 && only < 256);
  }
  uint64_t data_size = 0;
  for (size_t i = 0; i < shared.tensor_count(); ++i) {
    const TensorRecord& t = shared.tensor(i);
    Check(t.offset == data_size && t.size <= kMaxDataSize);
    Check(t.size == t.rows * t.cols * t.element_size);
    Check(t.element_size == ElementSize(static_cast<uint8_t>(t.dtype)) && t.level < kLevelCount);
    data_size += t.size;
    if (t.size > 0) {
      Check(shared.FindTensor(t.offset) == i && shared.FindTensor(t.offset + t.size - 1) == i);
    }
    for (unsigned p = 0; p < t.element_size; ++p) Check(t.tables[p] == kRawPlane || t.tables[p] < shared.table_count());
    if (t.flags & kFlagDictionary) {
      Check(t.dictionary_rows > 0 && t.skip_table < shared.table_count() && t.near_table < shared.table_count());
      // The first and the last byte are inside the section.
      const uint8_t* rows = shared.dictionary(t);
      Check(rows[0] + rows[t.dictionary_rows * t.cols - 1] >= 0);
    }
    if (t.flags & kFlagRowPrior)
      Check(shared.RowClass(t, 0) < kClassCount && shared.RowClass(t, t.rows - 1) < kClassCount);
    if (t.flags & kFlagColumnPrior) {
      Check(t.cols <= shared.max_prior_cols() && shared.max_prior_cols() <= kMaxPriorColumns);
      for (uint64_t c = 0; c < t.cols; ++c) Check(shared.ColumnClass(t, c) < kClassCount);
    }
  }
  Check(data_size == shared.data_size());
  return CoreStatus::kOk;
}

// A variant's layout as an input gives it: none, each base tensor once, or else a free one after its number of tensors.
struct FuzzVariant {
  FuzzVariant(const SharedTables* shared, const std::vector<uint8_t>& stored) : layout(shared) {
    const ByteView bytes = {stored.data(), stored.size()};
    own.resize(shared->tensor_count());
    status = layout.Parse({LayoutForm::kEachOnce, bytes, own.size()}, own.data(), own.size());
    if (status == CoreStatus::kOk) return;
    ByteReader reader(bytes);
    size_t count;
    if (!reader.ReadSize(&count) || count > reader.remaining() / 2) return;
    own.assign(count, {});
    const ByteView records = bytes.Sub(reader.position(), reader.remaining());
    status = layout.Parse({LayoutForm::kFree, records, count}, own.data(), own.size());
    free = status == CoreStatus::kOk;
  }
  FuzzVariant(const FuzzVariant&) = delete;
  FuzzVariant& operator=(const FuzzVariant&) = delete;

  std::vector<VariantTensor> own;
  VariantLayout layout;
  CoreStatus status = CoreStatus::kOk;
  bool free = false;
};

inline CoreStatus FuzzLayout(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const FuzzModel fuzzed(input.Piece());
  if (fuzzed.status != CoreStatus::kOk) return fuzzed.status;
  const std::vector<uint8_t> stored = input.Rest();
  const FuzzVariant variant(&fuzzed.shared, stored);
  if (variant.status != CoreStatus::kOk) return variant.status;
  const VariantLayout& layout = variant.layout;
  const size_t base_count = fuzzed.shared.tensor_count();
  Check(layout.tensor_count() == variant.own.size() && (variant.free || layout.tensor_count() == base_count));
  std::vector<bool> seen(base_count);
  uint64_t offset = 0;
  for (size_t i = 0; i < layout.tensor_count(); ++i) {
    const VariantTensor t = layout.tensor(i);
    Check(t.offset == offset);
    if (variant.free && t.base_index == kNoBaseTensor) {
      Check(t.prediction == Prediction::kZero && layout.RecordOf(t).size == 0);
    } else {
      Check(t.base_index < base_count && (variant.free || !seen[t.base_index]));
      seen[t.base_index] = true;
    }
    Check(t.element_size == ElementSize(static_cast<uint8_t>(t.dtype)) && t.size % t.element_size == 0);
    offset += t.size;
    if (t.size > 0) {
      Check(layout.FindTensor(t.offset) == i && layout.FindTensor(offset - 1) == i);
    }
  }
  Check(offset == layout.data_size());
  // From anywhere, strips follow each other without holes up to the end.
  const uint64_t starts[] = {0, offset / 2, offset / 3 + 1, offset > 3000 ? offset - 3000 : 0, offset};
  for (uint64_t start : starts) {
    if (start > offset) continue;
    StripCursor cursor(&layout, start);
    uint64_t at = cursor.at_end() ? offset : cursor.strip().offset;
    Check(at >= start && (at - start < kStripSize || cursor.at_end()));
    for (int strips = 0; strips < 200 && !cursor.at_end(); ++strips, cursor.Next()) {
      const Strip& strip = cursor.strip();
      Check(strip.offset == at && strip.size >= 1 && strip.size <= kStripSize);
      Check(strip.size % cursor.tensor().element_size == 0);
      Check(strip.in_tensor + strip.size <= cursor.tensor().size);
      at += strip.size;
    }
    if (cursor.at_end()) Check(at == offset);
  }
  return CoreStatus::kOk;
}

inline CoreStatus FuzzBaseChunk(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint32_t chunk_size = 256u << (input.Byte() % 5);
  const uint64_t number = input.Byte();
  const FuzzModel fuzzed(input.Piece());
  if (fuzzed.status != CoreStatus::kOk) return fuzzed.status;
  const uint64_t data_size = fuzzed.shared.data_size();
  if (data_size == 0) return CoreStatus::kOk;
  const uint64_t chunks = (data_size - 1) / chunk_size + 1;
  const uint64_t begin = number % chunks * chunk_size;
  const size_t length = static_cast<size_t>(data_size - begin < chunk_size ? data_size - begin : chunk_size);
  const std::vector<uint8_t> stored = input.Rest();
  const auto fetch = [](void* context, uint64_t, ByteView* out) {
    const auto* bytes = static_cast<const std::vector<uint8_t>*>(context);
    *out = {bytes->data(), bytes->size()};
    return CoreStatus::kOk;
  };
  const auto cache = std::make_unique<WideTableCache>();
  BaseDecoder decoder(&fuzzed.shared, chunk_size, {fetch, const_cast<std::vector<uint8_t>*>(&stored)}, cache.get());
  const std::unique_ptr<uint8_t[]> whole(new uint8_t[length]), parts(new uint8_t[length]);
  const CoreStatus status = decoder.Read(begin, {whole.get(), length});
  Check(status == CoreStatus::kOk || status == CoreStatus::kBadStream);
  // In two reads, after whatever happened: the same, or the same error.
  const size_t half = length / 2 + length % 3;
  const size_t first = half < length ? half : length;
  CoreStatus again = decoder.Read(begin, {parts.get(), first});
  if (again == CoreStatus::kOk) again = decoder.Read(begin + first, {parts.get() + first, length - first});
  Check(again == status);
  if (status == CoreStatus::kOk) Check(std::memcmp(whole.get(), parts.get(), length) == 0);
  return status;
}

// Stands in for the base's data, which no input could hold: some bell-shaped byte for each offset.
inline void MadeUpBase(uint64_t offset, size_t size, uint8_t* out) {
  for (size_t i = 0; i < size; ++i) {
    const uint64_t hash = (offset + i + 1) * SplitMix64::kStep;
    out[i] = static_cast<uint8_t>((hash >> 59) + (hash >> 54 & 31) + (hash >> 49 & 31) + (hash >> 44 & 31) - 62);
  }
}

inline CoreStatus FuzzSegment(const uint8_t* data, size_t size) {
  constexpr uint32_t kSegmentSize = 4096;
  FuzzInput input(data, size);
  const uint64_t number = input.Byte();
  const FuzzModel fuzzed(input.Piece());
  if (fuzzed.status != CoreStatus::kOk) return fuzzed.status;
  const std::vector<uint8_t> stored = input.Piece();
  const FuzzVariant variant(&fuzzed.shared, stored);
  if (!stored.empty() && variant.status != CoreStatus::kOk) return variant.status;
  const VariantLayout& layout = variant.layout;
  if (layout.data_size() == 0) return CoreStatus::kOk;
  const uint64_t segment = number % SegmentCount(layout.data_size(), kSegmentSize);
  const std::vector<uint8_t> stream = input.Rest();
  const size_t columns = static_cast<size_t>(fuzzed.shared.max_prior_cols());
  std::vector<uint8_t> order(columns);
  std::vector<StripColumns> strips(ColumnOrder::StripCount(columns));
  SegmentDecoder decoder(&layout, {order.data(), strips.data(), columns});
  // Twice: giving all bytes, then passing over every other strip. The bytes and the verdict must be the same.
  CoreStatus statuses[2];
  std::vector<uint8_t> decoded;
  for (int round = 0; round < 2; ++round) {
    CoreStatus status = decoder.Start({stream.data(), stream.size()});
    StripCursor cursor(&layout, segment * kSegmentSize);
    size_t at = 0;
    for (uint64_t count = 0;
         status == CoreStatus::kOk && !cursor.at_end() && cursor.strip().offset / kSegmentSize == segment;
         cursor.Next(), ++count) {
      const Strip& strip = cursor.strip();
      const VariantTensor& tensor = cursor.tensor();
      const bool skip = round == 1 && count % 2 == 1;
      const std::unique_ptr<uint8_t[]> io(new uint8_t[strip.size]());
      if (!skip && tensor.prediction == Prediction::kCopy) {
        MadeUpBase(cursor.record().offset + strip.in_tensor, strip.size, io.get());
      } else if (!skip && tensor.prediction != Prediction::kZero) {
        const size_t elements = strip.size / tensor.element_size;
        const size_t element = cursor.record().element_size;
        const std::unique_ptr<uint8_t[]> base(new uint8_t[elements * element]);
        MadeUpBase(cursor.record().offset + strip.in_tensor / tensor.element_size * element, elements * element,
                   base.get());
        Predict(tensor.prediction, base.get(), elements, io.get());
      }
      status = decoder.Decode(cursor, strip.size, skip ? nullptr : io.get());
      if (status != CoreStatus::kOk) break;
      if (round == 0) {
        decoded.insert(decoded.end(), io.get(), io.get() + strip.size);
      } else if (!skip) {
        Check(at + strip.size > decoded.size() || std::memcmp(&decoded[at], io.get(), strip.size) == 0);
      }
      at += strip.size;
    }
    if (status == CoreStatus::kOk) status = decoder.Finish();
    statuses[round] = status;
  }
  // A weight outside INT8 goes unnoticed where nobody looks.
  if (statuses[0] != CoreStatus::kOutOfRange) Check(statuses[1] == statuses[0]);
  return statuses[0];
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_CODEC_TARGETS_H_
