#include "tests/codec/model_fixture.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "codec/core/prediction.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "test fixture: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

}  // namespace

Bytes RandomTensor(Random* random, const ModelTensor& spec) {
  const unsigned element = ElementSize(static_cast<uint8_t>(spec.dtype));
  Bytes bytes(spec.size());
  for (size_t at = 0; at < bytes.size(); at += element) {
    uint64_t bits = 0;
    const float normal = static_cast<float>(random->Normal());
    const uint32_t f32 = std::bit_cast<uint32_t>(0.05f * normal);
    switch (spec.dtype) {
      case DType::kBool:
        bits = random->Below(2);
        break;
      case DType::kI8:
        bits = static_cast<uint64_t>(std::clamp(std::lround(normal * 30), -128l, 127l));
        break;
      case DType::kI16:
      case DType::kI32:
      case DType::kI64:
        bits = static_cast<uint64_t>(std::llround(normal * 1000));
        break;
      case DType::kF16:
        bits = F32ToF16(f32);
        break;
      case DType::kBf16:
        bits = F32ToBf16(f32);
        break;
      case DType::kF32:
        bits = f32;
        break;
      case DType::kF64:
        bits = std::bit_cast<uint64_t>(0.05 * random->Normal());
        break;
      default:
        bits = random->Next();
        break;
    }
    StoreElement(&bytes[at], element, bits);
  }
  return bytes;
}

Bytes RandomData(Random* random, const std::vector<ModelTensor>& specs) {
  Bytes data;
  for (const ModelTensor& spec : specs) {
    const Bytes tensor = RandomTensor(random, spec);
    data.insert(data.end(), tensor.begin(), tensor.end());
  }
  return data;
}

Bytes Ternary(Random* random, absl::Span<const uint8_t> base, const std::function<double(size_t)>& density,
              const std::function<int(size_t)>& scale) {
  Bytes variant(base.begin(), base.end());
  for (size_t i = 0; i < variant.size(); ++i) {
    if (!random->Chance(density(i))) continue;
    const int d = random->Below(2) == 0 ? -1 : 1;
    variant[i] = static_cast<uint8_t>(
        ApplyTrit(static_cast<int8_t>(base[i]), static_cast<uint16_t>(scale(i / kGroupSize) * 256), d));
  }
  return variant;
}

Bytes Ternary(Random* random, absl::Span<const uint8_t> base, double density, int scale) {
  return Ternary(
      random, base, [=](size_t) { return density; }, [=](size_t) { return scale; });
}

std::vector<double> RankOneDensity(Random* random, uint64_t rows, uint64_t cols, double octaves, double mean) {
  std::vector<double> row(rows), column(cols), density(rows * cols);
  for (double& r : row) r = std::exp2(-octaves * random->Unit());
  for (double& c : column) c = std::exp2(-octaves * random->Unit());
  double sum = 0;
  for (size_t i = 0; i < density.size(); ++i) sum += density[i] = row[i / cols] * column[i % cols];
  const double factor = mean * static_cast<double>(density.size()) / sum;
  for (double& d : density) d = std::min(0.95, d * factor);
  return density;
}

std::string WriteModel(const std::vector<std::string>& tables, const std::vector<RecordFields>& records) {
  std::string section;
  AppendVarint(&section, records.size());
  AppendVarint(&section, tables.size());
  for (const std::string& table : tables) section += table;
  for (const RecordFields& r : records) {
    section.push_back(static_cast<char>(r.dtype));
    AppendVarint(&section, r.rows);
    AppendVarint(&section, r.cols);
    section.push_back(static_cast<char>(r.flags));
    section.push_back(static_cast<char>(r.level));
    for (uint8_t table : r.tables) section.push_back(static_cast<char>(table));
    if ((r.flags & kFlagDictionary) == 0) continue;
    AppendVarint(&section, r.dictionary_rows);
    section.push_back(static_cast<char>(r.skip_table));
    section.push_back(static_cast<char>(r.near_table));
  }
  while (section.size() % 4 != 0) section.push_back(0);
  for (const RecordFields& r : records) section += r.area;
  return section;
}

RecordFields RawRecord(DType dtype, uint64_t rows, uint64_t cols) {
  RecordFields r;
  r.dtype = static_cast<uint8_t>(dtype);
  r.rows = rows;
  r.cols = cols;
  r.tables.assign(ElementSize(r.dtype), kRawPlane);
  return r;
}

RecordFields RandomPrior(Random* random, uint64_t rows, uint64_t cols, uint8_t flags) {
  RecordFields r;
  r.rows = rows;
  r.cols = cols;
  r.flags = flags;
  r.level = static_cast<uint8_t>(random->Below(kLevelCount));
  const auto classes = [&](uint64_t lines) {
    std::string nibbles((lines + 1) / 2, '\0');
    for (char& c : nibbles) c = static_cast<char>(random->Byte());
    return nibbles;
  };
  if (flags & kFlagRowPrior) r.area += classes(rows);
  if (flags & kFlagColumnPrior) r.area += classes(cols);
  return r;
}

TestBase::TestBase(std::vector<ModelTensor> specs, Bytes data, const std::vector<Bytes>& siblings, BaseProfile profile)
    : data_(std::move(data)) {
  DeltaStatistics deltas(specs);
  for (const Bytes& sibling : siblings) {
    uint64_t offset = 0;
    for (size_t i = 0; i < specs.size(); ++i) {
      const uint64_t size = specs[i].size();
      if (deltas.Counts(i)) {
        deltas.Add(i, 0, absl::MakeConstSpan(data_).subspan(offset, size),
                   absl::MakeConstSpan(sibling).subspan(offset, size));
        deltas.AddVariant(i);
      }
      offset += size;
    }
  }
  MemoryDataSource source(data_);
  parsed_ = Must(ParsedSharedTables::Parse(Must(BuildSharedTables(specs, &source, deltas, profile))));
}

TestBase::TestBase(const std::string& section, Bytes data)
    : data_(std::move(data)), parsed_(Must(ParsedSharedTables::Parse(section))) {}

TestBase RandomBase(Random* random, const std::vector<RecordFields>& records) {
  std::vector<ModelTensor> specs;
  for (const RecordFields& r : records) specs.push_back({static_cast<DType>(r.dtype), r.rows, r.cols});
  return TestBase(WriteModel({}, records), RandomData(random, specs));
}

TestLayout::TestLayout(const SharedTables& model, const StoredLayout& stored)
    : tensors_(stored.tensor_count), layout_(&model) {
  const CoreStatus status = layout_.Parse(stored.view(), tensors_.data(), tensors_.size());
  if (status != CoreStatus::kOk) {
    std::fprintf(stderr, "test fixture: layout: %s\n", CoreStatusName(status));
    std::abort();
  }
}

CodedVariant EncodeVariant(const TestBase& base, const TestVariant& variant, uint32_t segment_size) {
  CodedVariant coded;
  if (!variant.layout.empty()) coded.layout = SerializeLayout(variant.layout, base.shared().tensor_count());
  const TestLayout layout(base.shared(), coded.layout);
  const SegmentEncoder encoder(&layout.layout(), segment_size, variant.plain);
  MemoryDataSource base_source(base.data()), variant_source(variant.data);
  for (uint64_t s = 0; s < encoder.segment_count(); ++s) {
    coded.segments.push_back(Must(encoder.Encode(s, &base_source, &variant_source)));
  }
  return coded;
}

void PredictStrip(const StripCursor& cursor, const Bytes& base, uint8_t* io) {
  const VariantTensor& tensor = cursor.tensor();
  const TensorRecord& record = cursor.record();
  const Strip& strip = cursor.strip();
  switch (tensor.prediction) {
    case Prediction::kZero:
      std::memset(io, 0, strip.size);
      break;
    case Prediction::kCopy:
      std::memcpy(io, &base[record.offset + strip.in_tensor], strip.size);
      break;
    default:
      Predict(tensor.prediction, &base[record.offset + strip.in_tensor / tensor.element_size * record.element_size],
              strip.size / tensor.element_size, io);
      break;
  }
}

CoreStatus DecodeSegment(const VariantLayout& layout, const Bytes& base, ByteView stream, uint64_t segment,
                         uint32_t segment_size, const DecodeOptions& options, Bytes* data,
                         std::vector<DecodedVariant::PieceMode>* modes) {
  std::vector<uint8_t> order(options.order_columns);
  std::vector<StripColumns> strips(ColumnOrder::StripCount(options.order_columns));
  SegmentDecoder decoder(&layout, {order.data(), strips.data(), order.size()}, options.trace);
  CoreStatus status = decoder.Start(stream);
  if (status != CoreStatus::kOk) return status;
  StripCursor cursor(&layout, segment * segment_size);
  size_t last_tensor = ~size_t{0};
  const uint64_t end = (segment + 1) * segment_size;
  for (unsigned n = 0; !cursor.at_end() && cursor.strip().offset < end; ++n) {
    const Strip strip = cursor.strip();
    // A strip at a time if some are to be passed over, else one to four.
    const size_t size = options.skip ? strip.size : cursor.RunTo(std::min(end, strip.offset + 1 + n % 4 * kStripSize));
    // Exactly as large as the strips, so that a sanitizer sees a byte too many.
    std::unique_ptr<uint8_t[]> io(new uint8_t[size]);
    const bool skip = options.skip && options.skip(strip);
    StripCursor ahead = cursor;
    for (size_t at = 0; at < size;) {
      const uint32_t strip_size = ahead.strip().size;
      if (!skip) PredictStrip(ahead, base, io.get() + at);
      at += strip_size;
      ahead.Next();
    }
    status = decoder.Decode(cursor, size, skip ? nullptr : io.get());
    if (status != CoreStatus::kOk) return status;
    if (!skip) std::memcpy(data->data() + strip.offset, io.get(), size);
    if (cursor.tensor_index() != last_tensor && modes != nullptr) {
      modes->push_back({segment, cursor.tensor_index(), decoder.mode()});
    }
    last_tensor = cursor.tensor_index();
    cursor.Advance(size);
  }
  return decoder.Finish();
}

DecodedVariant DecodeVariant(const TestBase& base, const CodedVariant& coded, uint32_t segment_size,
                             const DecodeOptions& options) {
  const TestLayout layout(base.shared(), coded.layout);
  DecodedVariant decoded;
  decoded.data.assign(layout.layout().data_size(), 0xEE);
  for (uint64_t s = 0; s < coded.segments.size() && decoded.status == CoreStatus::kOk; ++s) {
    decoded.status = DecodeSegment(layout.layout(), base.data(), View(coded.segments[s]), s, segment_size, options,
                                   &decoded.data, &decoded.modes);
  }
  return decoded;
}

}  // namespace modelvault
