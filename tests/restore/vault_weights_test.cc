#include "restore/infer/vault_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/restore/coded_models.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

constexpr uint32_t kChunkSize = 512;
constexpr uint32_t kSegmentSize = 4096;

const CodedModels& Models(BaseProfile profile) {
  static const auto* const small = new CodedModels(Encode(MakeFreeModels(6), kChunkSize, kSegmentSize));
  static const auto* const fast =
      new CodedModels(Encode(MakeFreeModels(6), kChunkSize, kSegmentSize, BaseProfile::kFast));
  return profile == BaseProfile::kFast ? *fast : *small;
}

// A vault in memory at a multiple of 8, and a source of its base's bytes.
class OpenedBase {
 public:
  explicit OpenedBase(const CodedModels& models, size_t piece_size = 64, bool with_seals = true) : models_(models) {
    const std::string vault = CodedVaultBytes(models);
    words_.resize(vault.size() / 8 + 1);
    std::copy(vault.begin(), vault.end(), bytes());
    EXPECT_EQ(ParseHeader({bytes(), kHeaderSize}, vault.size(), &header_), CoreStatus::kOk);
    const StoredChunks from = stored();
    size_t size = 0;
    EXPECT_EQ(BaseWeights::MemorySize(models.shared->tables(), from, piece_size, &size), CoreStatus::kOk);
    memory_.resize(size / 4 + 2, kGuard);
    memory_size_ = size;
    seals_.resize(models.chunks.size());
    weights_ = std::make_unique<BaseWeights>(&models.shared->tables(), from, with_seals ? seals_.data() : nullptr,
                                             ByteSpan{reinterpret_cast<uint8_t*>(memory_.data()), size}, piece_size);
  }
  ~OpenedBase() {
    const uint8_t* const end = reinterpret_cast<const uint8_t*>(memory_.data()) + memory_size_;
    for (size_t i = memory_size_; i < memory_.size() * 4; ++i) {
      EXPECT_EQ(end[i - memory_size_], static_cast<uint8_t>(kGuard >> (i % 4 * 8))) << "memory was overrun";
    }
  }

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(words_.data()); }
  // Of a chunk's first stored byte.
  uint8_t* chunk(size_t number) {
    ChunkPlace place;
    EXPECT_EQ(FindChunk(header_, stored().chunks, number, &place), CoreStatus::kOk);
    return bytes() + header_.section(Section::kBase).offset + place.offset;
  }
  BaseWeights& weights() { return *weights_; }
  StoredChunks stored() {
    const auto section = [&](Section s) {
      return ByteView{bytes() + header_.section(s).offset, header_.section(s).size};
    };
    return {&header_, section(Section::kChunks), section(Section::kBase)};
  }

 private:
  static constexpr uint32_t kGuard = 0x5CA1AB1E;

  const CodedModels& models_;
  std::vector<uint64_t> words_;
  VaultHeader header_;
  std::vector<uint32_t> seals_;
  std::vector<uint32_t> memory_;
  size_t memory_size_ = 0;
  std::unique_ptr<BaseWeights> weights_;
};

// Bytes `begin` to `end` of a tensor; what came before a failure, which is *status.
std::string ReadTensor(const WeightSource& source, size_t tensor, size_t begin, size_t end, CoreStatus* status) {
  std::string bytes;
  *status = source.start(source.context, tensor, begin, end);
  while (*status == CoreStatus::kOk) {
    ByteView piece;
    *status = source.next(source.context, &piece);
    if (piece.size == 0) break;
    bytes.append(reinterpret_cast<const char*>(piece.data), piece.size);
  }
  return bytes;
}

std::string Expected(const CodedModels& models, size_t tensor, size_t begin, size_t end) {
  const TensorRecord& t = models.shared->tables().tensor(tensor);
  return std::string(models.base.begin() + static_cast<ptrdiff_t>(t.offset + begin),
                     models.base.begin() + static_cast<ptrdiff_t>(t.offset + end));
}

TEST(BaseWeightsTest, AnyPartOfAnyTensorComesInAnyOrder) {
  for (const BaseProfile profile : {BaseProfile::kSmall, BaseProfile::kFast}) {
    const CodedModels& models = Models(profile);
    for (const size_t piece_size : {4, 64, 4096}) {
      OpenedBase base(models, piece_size, piece_size != 64);
      const WeightSource source = base.weights().source(nullptr);
      TestRandom random(2);
      for (int i = 0; i < 300; ++i) {
        const size_t tensor = i < 30 ? static_cast<size_t>(i) % models.specs.size() : random.Below(models.specs.size());
        const size_t size = static_cast<size_t>(models.specs[tensor].size());
        const size_t begin = i < 30 ? 0 : random.Below(size + 1);
        const size_t end = i < 30 ? size : begin + random.Below(size - begin + 1);
        CoreStatus status;
        ASSERT_TRUE(ReadTensor(source, tensor, begin, end, &status) == Expected(models, tensor, begin, end))
            << tensor << ": " << begin << " to " << end;
        ASSERT_EQ(status, CoreStatus::kOk);
      }
    }
  }
}

TEST(BaseWeightsTest, PlacesOutsideTensorsAreRefused) {
  OpenedBase base(Models(BaseProfile::kFast));
  const WeightSource source = base.weights().source(nullptr);
  const size_t count = Models(BaseProfile::kFast).specs.size();
  const size_t size = static_cast<size_t>(Models(BaseProfile::kFast).specs[0].size());
  ByteView piece;
  EXPECT_EQ(source.next(source.context, &piece), CoreStatus::kBadArgument) << "nothing was started";
  EXPECT_EQ(source.start(source.context, count, 0, 0), CoreStatus::kBadArgument);
  EXPECT_EQ(source.start(source.context, 0, 0, size + 1), CoreStatus::kBadArgument);
  EXPECT_EQ(source.start(source.context, 0, 2, 1), CoreStatus::kBadArgument);
  EXPECT_EQ(source.next(source.context, &piece), CoreStatus::kBadArgument);
  EXPECT_EQ(piece.size, 0u);
  EXPECT_EQ(source.start(source.context, 0, size, size), CoreStatus::kOk);
}

TEST(BaseWeightsTest, DamageIsFoundBeforeAByteOfItsChunkIsUsedAtAnyTime) {
  for (int kind = 0; kind < 4; ++kind) {
    const CodedModels& models = Models(kind % 2 == 0 ? BaseProfile::kSmall : BaseProfile::kFast);
    OpenedBase base(models, 64, kind < 2);
    const WeightSource source = base.weights().source(nullptr);
    TestRandom random(4);
    const auto read_all = [&](CoreStatus* status) {
      std::string bytes;
      *status = CoreStatus::kOk;
      for (size_t i = 0; i < models.specs.size() && *status == CoreStatus::kOk; ++i) {
        bytes += ReadTensor(source, i, 0, static_cast<size_t>(models.specs[i].size()), status);
      }
      return bytes;
    };
    const std::string expected(models.base.begin(), models.base.end());
    // The first time round no chunk has been read before; later all have.
    for (int round = 0; round < 3; ++round) {
      for (size_t chunk = 0; chunk < models.chunks.size(); ++chunk) {
        SCOPED_TRACE(absl::StrCat("round ", round, ", chunk ", chunk));
        uint8_t* const byte = base.chunk(chunk) + random.Below(models.chunks[chunk].size());
        const uint8_t was = *byte;
        *byte = static_cast<uint8_t>(was ^ (1 << random.Below(8)));
        CoreStatus status;
        const std::string bytes = read_all(&status);
        EXPECT_EQ(status, CoreStatus::kChecksumMismatch);
        EXPECT_EQ(base.weights().last_chunk(), chunk);
        EXPECT_LE(bytes.size(), chunk * kChunkSize);
        EXPECT_EQ(bytes, expected.substr(0, bytes.size()));
        ByteView piece;
        EXPECT_EQ(source.next(source.context, &piece), CoreStatus::kChecksumMismatch) << "it stays";
        *byte = was;
      }
      CoreStatus status;
      EXPECT_TRUE(read_all(&status) == expected) << "nothing is wrong any more";
      EXPECT_EQ(status, CoreStatus::kOk);
    }
  }
}

// Chunks whose checksums are right and whose bytes are not those of a stream.
TEST(BaseWeightsTest, AChunkMustEndAsStreamsDo) {
  const CodedModels& models = Models(BaseProfile::kFast);
  for (const int last : {0, 2, 3, 0x81}) {
    OpenedBase base(models);
    uint8_t* const chunk = base.chunk(1);
    ASSERT_EQ(models.chunks[1].size(), kChunkSize + 1);
    chunk[kChunkSize] = static_cast<uint8_t>(last);
    const VaultHeader& header = *base.stored().header;
    StoreLe32(base.bytes() + header.section(Section::kChunks).offset + kNarrowChunkEntrySize + 4,
              Checksum32({chunk, kChunkSize + 1}));
    const WeightSource source = base.weights().source(nullptr);
    const SharedTables& shared = models.shared->tables();
    const size_t tensor = shared.FindTensor(kChunkSize);
    const size_t in_tensor = kChunkSize - shared.tensor(tensor).offset;
    CoreStatus status;
    EXPECT_EQ(ReadTensor(source, tensor, in_tensor, in_tensor + 1, &status), "");
    EXPECT_EQ(status, CoreStatus::kBadStream);
  }
}

// A variant's stream over the coded models, as restore and loader make it.
class OpenedVariant {
 public:
  OpenedVariant(const CodedModels& models, const CodedVariant& variant) : models_(models), variant_(variant) {
    order_.resize(models.shared->tables().max_prior_cols());
    strips_.resize(ColumnOrder::StripCount(order_.size()));
    tile_.resize(TileBufferSize(256));
    const ChunkSource chunks = {[](void* self, size_t chunk, ByteView* stored) {
                                  const std::string& bytes = static_cast<OpenedVariant*>(self)->models_.chunks[chunk];
                                  *stored = {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
                                  return CoreStatus::kOk;
                                },
                                this};
    SegmentSource segments;
    if (!variant.segments.empty()) {
      segments = {[](void* self, size_t segment, ByteView* stored) {
                    OpenedVariant* const opened = static_cast<OpenedVariant*>(self);
                    ++opened->segments_fetched;
                    const std::string& bytes = opened->variant_.segments[segment];
                    *stored = {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
                    return opened->failure;
                  },
                  this};
    }
    ColumnOrder order;
    order.strips = strips_.data();
    order.order = order_.data();
    order.columns = order_.size();
    stream_ = std::make_unique<VariantStream>(variant.layout.get(), models.chunk_size, models.segment_size, chunks,
                                              segments, StreamWorkspace{&tables_, order, {tile_.data(), tile_.size()}});
    weights_ = std::make_unique<RestoredWeights>(stream_.get(), variant.layout.get(), 256);
  }

  WeightSource source() { return weights_->source(); }

  int segments_fetched = 0;
  CoreStatus failure = CoreStatus::kOk;

 private:
  const CodedModels& models_;
  const CodedVariant& variant_;
  WideTableCache tables_;
  std::vector<uint8_t> order_;
  std::vector<StripColumns> strips_;
  std::vector<uint8_t> tile_;
  std::unique_ptr<VariantStream> stream_;
  std::unique_ptr<RestoredWeights> weights_;
};

TEST(RestoredWeightsTest, TensorsOfAnyVariantComeInAnyOrder) {
  const CodedModels& models = Models(BaseProfile::kSmall);
  int missing = 0, of_another_type = 0, same = 0;
  for (const CodedVariant& variant : models.variants) {
    OpenedVariant opened(models, variant);
    const WeightSource source = opened.source();
    TestRandom random(12);
    for (int i = 0; i < 150; ++i) {
      const size_t base_tensor = random.Below(models.specs.size());
      SCOPED_TRACE(absl::StrCat("'", variant.name, "', tensor ", base_tensor));
      CoreStatus status;
      size_t found = 0;
      while (found < variant.layout->tensor_count() && variant.layout->tensor(found).base_index != base_tensor) ++found;
      if (found == variant.layout->tensor_count()) {
        ++missing;
        EXPECT_EQ(ReadTensor(source, base_tensor, 0, 0, &status), "");
        EXPECT_EQ(status, CoreStatus::kNotFound);
        continue;
      }
      const VariantTensor& t = variant.layout->tensor(found);
      const size_t begin = random.Below(t.size + 1);
      const size_t end = begin + random.Below(t.size - begin + 1);
      const std::string bytes = ReadTensor(source, base_tensor, begin, end, &status);
      if (t.prediction != Prediction::kCopy) {
        ++of_another_type;
        EXPECT_EQ(status, CoreStatus::kBadArgument);
        continue;
      }
      ++same;
      ASSERT_EQ(status, CoreStatus::kOk);
      const auto data = variant.data.begin() + static_cast<ptrdiff_t>(t.offset);
      ASSERT_TRUE(bytes == std::string(data + static_cast<ptrdiff_t>(begin), data + static_cast<ptrdiff_t>(end)));
    }
  }
  EXPECT_GT(missing, 0);
  EXPECT_GT(of_another_type, 0);
  EXPECT_GT(same, 500);
}

TEST(RestoredWeightsTest, TensorsInOrderDecodeEverySegmentOnce) {
  const CodedModels& models = Models(BaseProfile::kSmall);
  const CodedVariant& variant = models.variant("dense");
  OpenedVariant opened(models, variant);
  const WeightSource source = opened.source();
  std::string all;
  for (size_t i = 0; i < models.specs.size(); ++i) {
    CoreStatus status;
    all += ReadTensor(source, i, 0, static_cast<size_t>(models.specs[i].size()), &status);
    ASSERT_EQ(status, CoreStatus::kOk);
  }
  EXPECT_TRUE(all == std::string(variant.data.begin(), variant.data.end()));
  EXPECT_EQ(opened.segments_fetched, static_cast<int>(variant.segments.size()));
}

TEST(RestoredWeightsTest, AFailureStaysUntilTheNextStart) {
  const CodedModels& models = Models(BaseProfile::kSmall);
  OpenedVariant opened(models, models.variant("dense"));
  const WeightSource source = opened.source();
  size_t large = 0;
  while (models.specs[large].size() < 100) ++large;
  CoreStatus status;
  opened.failure = CoreStatus::kChecksumMismatch;
  EXPECT_EQ(ReadTensor(source, large, 0, 100, &status), "");
  EXPECT_EQ(status, CoreStatus::kChecksumMismatch);
  ByteView piece;
  EXPECT_EQ(source.next(source.context, &piece), CoreStatus::kChecksumMismatch);
  opened.failure = CoreStatus::kOk;
  EXPECT_EQ(ReadTensor(source, large, 0, 100, &status).size(), 100u);
  EXPECT_EQ(status, CoreStatus::kOk);
}

}  // namespace
}  // namespace modelvault
