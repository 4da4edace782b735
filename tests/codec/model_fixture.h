// Whole models in memory for the codec's tests: made up, coded and decoded in one call each.
#ifndef MODELVAULT_TESTS_CODEC_MODEL_FIXTURE_H_
#define MODELVAULT_TESTS_CODEC_MODEL_FIXTURE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "codec/core/base_decoder.h"
#include "codec/core/segment_decoder.h"
#include "codec/core/shared_tables.h"
#include "codec/core/variant_layout.h"
#include "codec/layout_encoder.h"
#include "codec/model_tensor.h"
#include "codec/segment_encoder.h"
#include "codec/shared_tables_builder.h"
#include "tests/codec/random.h"

namespace modelvault {

inline ByteView View(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }
inline ByteView View(const Bytes& b) { return {b.data(), b.size()}; }
inline absl::Span<const uint8_t> SpanOf(const std::string& s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}

// --- Made-up models.

// Bytes of a tensor as trained models have them: bell-shaped integers and floats, anything at all otherwise.
Bytes RandomTensor(Random* random, const ModelTensor& spec);
Bytes RandomData(Random* random, const std::vector<ModelTensor>& specs);

// base ± scale·trit on INT8 weights, saturating; density(i) is the chance of weight i to have a trit that is not zero,
// scale(i) its group's k.
Bytes Ternary(Random* random, absl::Span<const uint8_t> base, const std::function<double(size_t)>& density,
              const std::function<int(size_t)>& scale);
Bytes Ternary(Random* random, absl::Span<const uint8_t> base, double density, int scale);

// A density for each weight of rows x cols: rank one, rows and columns spread over `octaves` octaves, `mean` in all.
std::vector<double> RankOneDensity(Random* random, uint64_t rows, uint64_t cols, double octaves, double mean);

// --- MODEL written by hand, so that its fields may be anything.

struct RecordFields {
  uint8_t dtype = static_cast<uint8_t>(DType::kI8);
  uint64_t rows = 1;
  uint64_t cols = 1;
  uint8_t flags = 0;
  uint8_t level = 20;
  std::vector<uint8_t> tables = {kRawPlane};
  uint64_t dictionary_rows = 0;  // These three are written only with kFlagDictionary.
  uint8_t skip_table = 0;
  uint8_t near_table = 0;
  std::string area;  // Dictionary, row classes and column classes.
};

// `tables` are stored tables.
std::string WriteModel(const std::vector<std::string>& tables, const std::vector<RecordFields>& records);

// Fields for a tensor with neither prior nor table.
RecordFields RawRecord(DType dtype, uint64_t rows, uint64_t cols);

// Fields for an INT8 tensor with a prior of random classes, and no table.
RecordFields RandomPrior(Random* random, uint64_t rows, uint64_t cols, uint8_t flags);

// --- A base and its variants.

class TestBase {
 public:
  // MODEL as BuildSharedTables makes it, with the deltas of `siblings`, which have the base's layout.
  TestBase(std::vector<ModelTensor> specs, Bytes data, const std::vector<Bytes>& siblings = {},
           BaseProfile profile = BaseProfile::kSmall);
  // MODEL as given; it must describe `data`.
  TestBase(const std::string& section, Bytes data);

  const Bytes& data() const { return data_; }
  const SharedTables& shared() const { return parsed_->tables(); }
  const std::string& section() const { return parsed_->section(); }
  absl::Span<const uint8_t> tensor(size_t i) const {
    return absl::MakeConstSpan(data_).subspan(shared().tensor(i).offset, shared().tensor(i).size);
  }

 private:
  Bytes data_;
  std::unique_ptr<const ParsedSharedTables> parsed_;
};

// A base with these records, which have no tables, and random data.
TestBase RandomBase(Random* random, const std::vector<RecordFields>& records);

struct TestVariant {
  Bytes data;
  std::vector<LayoutEntry> layout;  // Empty: the base's.
  bool plain = false;               // Coded with mode 6, where it pays.
};

struct CodedVariant {
  StoredLayout layout;
  std::vector<std::string> segments;

  size_t size() const {
    size_t sum = layout.bytes.size();
    for (const std::string& s : segments) sum += s.size();
    return sum;
  }
};

// A VariantLayout and its memory.
class TestLayout {
 public:
  // One that does not parse ends the program.
  TestLayout(const SharedTables& shared, const StoredLayout& stored);
  TestLayout(const TestLayout&) = delete;
  TestLayout& operator=(const TestLayout&) = delete;

  const VariantLayout& layout() const { return layout_; }

 private:
  std::vector<VariantTensor> tensors_;
  VariantLayout layout_;
};

CodedVariant EncodeVariant(const TestBase& base, const TestVariant& variant, uint32_t segment_size);

struct DecodeOptions {
  std::function<bool(const Strip&)> skip;  // Strips to be passed over; their bytes stay 0xEE.
  const SegmentTrace* trace = nullptr;
  size_t order_columns = kMaxPriorColumns;  // Room for ColumnOrder.
};

struct DecodedVariant {
  struct PieceMode {
    uint64_t segment;
    size_t tensor;  // In the variant's order.
    TensorMode mode;
  };
  CoreStatus status = CoreStatus::kOk;
  Bytes data;
  std::vector<PieceMode> modes;  // Of every tensor in every segment.
};

DecodedVariant DecodeVariant(const TestBase& base, const CodedVariant& coded, uint32_t segment_size,
                             const DecodeOptions& options = {});

// Decodes segment `segment` from `stream` into its place in `data`, which has the variant's size. Appends to `modes`
// unless it is null.
CoreStatus DecodeSegment(const VariantLayout& layout, const Bytes& base, ByteView stream, uint64_t segment,
                         uint32_t segment_size, const DecodeOptions& options, Bytes* data,
                         std::vector<DecodedVariant::PieceMode>* modes = nullptr);

// What the decoder wants in `io`: the prediction of the strip under `cursor`.
void PredictStrip(const StripCursor& cursor, const Bytes& base, uint8_t* io);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CODEC_MODEL_FIXTURE_H_
