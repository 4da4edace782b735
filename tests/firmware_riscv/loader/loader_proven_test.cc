// What an engine asks of the loader: tiles that are proven one by one, parts of models, tensors' records.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "firmware_riscv/loader/loader_weights.h"
#include "firmware_riscv/loader/modelvault_loader.h"
#include "tests/firmware_riscv/loader/loader_fixture.h"
#include "tests/restore/read_weights.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

// Every kind of variant, in many chunks and segments, beside a base that is coded, and beside one that is not; and
// models of one segment.
const std::vector<const CodedModels*>& AllModels() {
  static const auto* const all = new std::vector<const CodedModels*>{
      &Models(), new CodedModels(Encode(MakeFreeModels(4), kChunkSize, kSegmentSize, BaseProfile::kFast)),
      &WholeModels(), new CodedModels(Encode(MakePlainModels(4), 4096, 1 << 20, BaseProfile::kFast))};
  return *all;
}

// A vault opened in the memory that proven tiles take.
class ProvenVault {
 public:
  explicit ProvenVault(std::string vault, size_t tile_size = 4096, uint32_t flags = MV_WITH_BASE) : vault_(vault) {
    size_t needed = 0;
    EXPECT_EQ(mv_memory_needed_proven(Data(vault_), vault_.size(), tile_size, flags, nullptr, &needed), MV_OK);
    memory_ = std::make_unique<Memory>(needed);
    EXPECT_EQ(mv_open(Data(vault_), vault_.size(), memory_->data(), memory_->size(), nullptr, &loader_, nullptr),
              MV_OK);
  }

  mv_loader* loader() { return loader_; }
  size_t memory_size() const { return memory_->size(); }
  std::string& bytes() { return vault_; }

 private:
  std::string vault_;
  std::unique_ptr<Memory> memory_;
  mv_loader* loader_ = nullptr;
};

// What is left of what was started, and how it ended.
struct Streamed {
  mv_error error = MV_OK;
  uint32_t verdict = MV_REJECTED;
  std::string bytes;
  std::string base;  // mv_base_tile() beside them.
};

Streamed StreamAll(mv_loader* loader) {
  Streamed streamed;
  for (;;) {
    const uint8_t* tile;
    size_t size;
    streamed.error = mv_next(loader, &tile, &size);
    if (streamed.error != MV_OK || size == 0) break;
    streamed.bytes.append(reinterpret_cast<const char*>(tile), size);
    const uint8_t* const base = mv_base_tile(loader);
    if (base != nullptr) streamed.base.append(reinterpret_cast<const char*>(base), size);
  }
  if (streamed.error == MV_OK) streamed.error = mv_finish(loader, &streamed.verdict);
  return streamed;
}

TEST(LoaderProvenTest, EveryModelComesBackInOnePassInTheMemoryAskedFor) {
  for (const CodedModels* models : AllModels()) {
    const std::string vault = CodedVaultBytes(*models);
    const std::string base(models->base.begin(), models->base.end());
    for (const size_t tile_size : {256, 1000, 4096}) {
      for (const uint32_t flags : {0u, MV_WITH_DIGEST, MV_WITH_BASE, MV_WITH_BASE | MV_WITH_DIGEST}) {
        ProvenVault opened(vault, tile_size, flags);
        size_t used = 0;
        for (const auto& [name, bytes] : Contents(*models)) {
          SCOPED_TRACE(absl::StrCat("'", name, "' in tiles of ", tile_size, ", flags ", flags));
          mv_variant variant;
          ASSERT_EQ(Find(opened.loader(), name, &variant), MV_OK);
          ASSERT_EQ(mv_start_proven(opened.loader(), &variant, tile_size, flags), MV_OK);
          const Streamed streamed = StreamAll(opened.loader());
          EXPECT_EQ(streamed.error, MV_OK);
          EXPECT_EQ(streamed.verdict, MV_VERIFIED);
          EXPECT_TRUE(streamed.bytes == bytes);
          const bool base_layout = name.empty() || models->variant(name).stored_layout.form == LayoutForm::kBase;
          const bool with_base = base_layout && (flags & MV_WITH_BASE) != 0;
          EXPECT_TRUE(streamed.base == (with_base ? base : "")) << "the base's bytes beside it";
          if ((flags & MV_WITH_DIGEST) != 0) {
            EXPECT_EQ(mv_digest(opened.loader()), variant.digest);
          }
          EXPECT_EQ(mv_where(opened.loader()).place, MV_PLACE_UNKNOWN);
          used = std::max(used, mv_memory_used(opened.loader()));
        }
        EXPECT_EQ(used, opened.memory_size());
      }
    }
  }
}

TEST(LoaderProvenTest, NoByteOfDamagedPlacesIsEverHandedOver) {
  for (const CodedModels* models : AllModels()) {
    const std::string vault = CodedVaultBytes(*models);
    const std::map<std::string, std::string> contents = Contents(*models);
    std::map<mv_place, int> caught;
    TestRandom random(11);
    ProvenVault opened(vault);
    std::map<std::string, mv_variant> variants;
    for (const auto& [name, bytes] : contents) ASSERT_EQ(Find(opened.loader(), name, &variants[name]), MV_OK);
    for (size_t at = kHeaderSize; at < vault.size(); at += 1 + random.Below(12)) {
      const mv_place place = PlaceOf(vault, at);
      if (place != MV_PLACE_BASE && place != MV_PLACE_UNKNOWN) continue;  // mv_open() compares the others.
      SCOPED_TRACE(absl::StrCat("byte ", at));
      char& byte = opened.bytes()[at];
      byte = static_cast<char>(byte ^ (1 << random.Below(8)));
      for (const auto& [name, bytes] : contents) {
        const mv_variant& variant = variants[name];
        const bool in_blob = at >= variant.blob_offset && at - variant.blob_offset < variant.blob_size;
        if (!in_blob && name != (at % 2 == 0 ? "" : "ternary")) continue;
        Streamed streamed;
        streamed.error = mv_start_proven(opened.loader(), &variant, 256, 0);
        if (streamed.error == MV_OK) streamed = StreamAll(opened.loader());
        EXPECT_EQ(streamed.bytes, bytes.substr(0, streamed.bytes.size()));
        if (!in_blob && place != MV_PLACE_BASE) {
          EXPECT_EQ(streamed.verdict, MV_VERIFIED);
          continue;
        }
        EXPECT_NE(streamed.error, MV_OK);
        EXPECT_EQ(streamed.verdict, MV_REJECTED);
        const mv_fault where = mv_where(opened.loader());
        const mv_fault diagnosed = mv_diagnose(opened.loader(), &variant);
        EXPECT_EQ(where.place, in_blob ? MV_PLACE_DELTA : MV_PLACE_BASE);
        EXPECT_EQ(where.place, diagnosed.place);
        EXPECT_EQ(where.number, diagnosed.number);
        ++caught[where.place];
      }
      byte = vault[at];
    }
    EXPECT_GT(caught[MV_PLACE_BASE], 20);
    EXPECT_GT(caught[MV_PLACE_DELTA], 20);
  }
}

TEST(LoaderProvenTest, AnyPartOfAModelComesByItself) {
  for (const CodedModels* models : AllModels()) {
    ProvenVault opened(CodedVaultBytes(*models));
    TestRandom random(5);
    for (const auto& [name, bytes] : Contents(*models)) {
      mv_variant variant;
      ASSERT_EQ(Find(opened.loader(), name, &variant), MV_OK);
      for (int i = 0; i < 40; ++i) {
        const size_t offset = random.Below(bytes.size() + 1);
        const size_t length = i < 3 ? 0 : random.Below(bytes.size() - offset + 1);
        SCOPED_TRACE(absl::StrCat("'", name, "', ", length, " bytes from ", offset));
        ASSERT_EQ(mv_start_range(opened.loader(), &variant, offset, length, 256 + random.Below(2000)), MV_OK);
        const Streamed streamed = StreamAll(opened.loader());
        EXPECT_EQ(streamed.error, MV_OK);
        EXPECT_EQ(streamed.verdict, MV_VERIFIED);
        EXPECT_TRUE(streamed.bytes == bytes.substr(offset, length));
      }
      for (const auto& [offset, length] : std::vector<std::pair<size_t, size_t>>{
               {0, bytes.size() + 1}, {bytes.size(), 1}, {bytes.size() + 1, 0}, {SIZE_MAX, 1}, {1, SIZE_MAX}}) {
        EXPECT_EQ(mv_start_range(opened.loader(), &variant, offset, length, 4096), MV_BAD_ARGUMENT);
        EXPECT_EQ(StreamAll(opened.loader()).error, MV_BAD_ARGUMENT);
      }
    }
  }
}

TEST(LoaderProvenTest, AConsumerGetsPlacesAndMayEndIt) {
  ProvenVault opened(CodedVaultBytes(Models()));
  const std::map<std::string, std::string> contents = Contents(Models());
  const std::string& bytes = contents.at("ternary");
  mv_variant variant;
  ASSERT_EQ(Find(opened.loader(), "ternary", &variant), MV_OK);
  struct Sink {
    size_t next;
    std::string bytes;
    size_t most;
  };
  const mv_consumer take = [](void* user, size_t offset, const uint8_t* data, size_t size) {
    Sink* const sink = static_cast<Sink*>(user);
    EXPECT_EQ(offset, sink->next);
    sink->next += size;
    sink->bytes.append(reinterpret_cast<const char*>(data), size);
    return sink->bytes.size() > sink->most ? MV_NOT_FOUND : MV_OK;
  };
  Sink all = {0, "", SIZE_MAX};
  ASSERT_EQ(mv_start(opened.loader(), &variant, 300), MV_OK);
  EXPECT_EQ(mv_stream(opened.loader(), take, &all), MV_OK);
  EXPECT_TRUE(all.bytes == bytes);
  Sink part = {1000, "", SIZE_MAX};
  ASSERT_EQ(mv_start_range(opened.loader(), &variant, 1000, 5000, 256), MV_OK);
  EXPECT_EQ(mv_stream(opened.loader(), take, &part), MV_OK);
  EXPECT_TRUE(part.bytes == bytes.substr(1000, 5000));
  Sink less = {0, "", 700};
  ASSERT_EQ(mv_start_proven(opened.loader(), &variant, 256, 0), MV_OK);
  EXPECT_EQ(mv_stream(opened.loader(), take, &less), MV_NOT_FOUND);
  EXPECT_EQ(less.bytes.size(), 768u);
  EXPECT_EQ(StreamAll(opened.loader()).error, MV_NOT_FOUND) << "it has ended";
  // The digest is part of it.
  variant.digest ^= 1;
  Sink wrong = {0, "", SIZE_MAX};
  ASSERT_EQ(mv_start_proven(opened.loader(), &variant, 256, MV_WITH_DIGEST), MV_OK);
  EXPECT_EQ(mv_stream(opened.loader(), take, &wrong), MV_DIGEST_MISMATCH);
}

TEST(LoaderProvenTest, TensorsAreToldByNumber) {
  const CodedModels& models = Models();
  ProvenVault opened(CodedVaultBytes(models));
  ASSERT_EQ(mv_tensor_count(opened.loader()), models.specs.size());
  uint32_t offset = 0;
  mv_tensor_record record;
  for (uint32_t i = 0; i < models.specs.size(); ++i) {
    ASSERT_EQ(mv_tensor(opened.loader(), i, &record), MV_OK);
    EXPECT_EQ(record.dtype, static_cast<uint8_t>(models.specs[i].dtype));
    EXPECT_EQ(record.rows, models.specs[i].rows());
    EXPECT_EQ(record.cols, models.specs[i].cols());
    EXPECT_EQ(record.offset, offset);
    EXPECT_EQ(record.size, models.specs[i].size());
    offset += record.size;
  }
  for (const uint32_t number : {static_cast<uint32_t>(models.specs.size()), 0xFFFFFFFFu}) {
    EXPECT_EQ(mv_tensor(opened.loader(), number, &record), MV_BAD_ARGUMENT);
    EXPECT_EQ(record.size, 0u);
  }
}

TEST(LoaderProvenTest, TooLittleMemoryIsNamed) {
  for (const CodedModels* models : AllModels()) {
    const std::string vault = CodedVaultBytes(*models);
    size_t needed, proven;
    ASSERT_EQ(mv_memory_needed(Data(vault), vault.size(), 256, nullptr, &needed), MV_OK);
    ASSERT_EQ(mv_memory_needed_proven(Data(vault), vault.size(), 256, MV_WITH_BASE, nullptr, &proven), MV_OK);
    ASSERT_GT(proven, needed);
    const std::string widest = models == &Models() || models == AllModels()[1] ? "free" : "retyped";
    for (size_t size = needed; size < proven; size += 61) {
      Memory memory(size);
      mv_loader* loader;
      ASSERT_EQ(mv_open(Data(vault), vault.size(), memory.data(), size, nullptr, &loader, nullptr), MV_OK);
      mv_variant variant;
      ASSERT_EQ(Find(loader, widest, &variant), MV_OK);
      EXPECT_EQ(mv_start_proven(loader, &variant, 256, MV_WITH_BASE), MV_WORKSPACE_TOO_SMALL);
      EXPECT_EQ(mv_where(loader).place, MV_PLACE_MEMORY);
      EXPECT_EQ(StreamAll(loader).error, MV_WORKSPACE_TOO_SMALL);
      EXPECT_EQ(mv_start(loader, &variant, 256), MV_OK) << "which takes less";
    }
  }
}

TEST(LoaderProvenTest, TheWatchdogIsFedForEveryChunk) {
  const std::string vault = CodedVaultBytes(Models());
  Memory memory(1 << 18);
  mv_loader* loader;
  int fed = 0;
  const mv_watchdog watchdog = {[](void* count) { ++*static_cast<int*>(count); }, &fed};
  ASSERT_EQ(mv_open(Data(vault), vault.size(), memory.data(), memory.size(), &watchdog, &loader, nullptr), MV_OK);
  mv_variant variant;
  ASSERT_EQ(Find(loader, "dense", &variant), MV_OK);
  fed = 0;
  ASSERT_EQ(mv_start_proven(loader, &variant, 4096, 0), MV_OK);
  EXPECT_EQ(StreamAll(loader).verdict, MV_VERIFIED);
  EXPECT_GE(fed, static_cast<int>(Models().chunks.size() + Models().variant("dense").segments.size()));
}

TEST(LoaderWeightsTest, EveryModelIsReadAgainAndAgain) {
  for (const CodedModels* models : AllModels()) {
    const SharedTables& shared = models->shared->tables();
    ProvenVault opened(CodedVaultBytes(*models));
    for (const auto& [name, bytes] : Contents(*models)) {
      mv_variant variant;
      ASSERT_EQ(Find(opened.loader(), name, &variant), MV_OK);
      const VariantLayout base_layout(&shared);
      const VariantLayout& layout = name.empty() ? base_layout : *models->variant(name).layout;
      for (const size_t room : {size_t{40}, size_t{200'000}}) {
        SCOPED_TRACE(absl::StrCat("'", name, "', room ", room));
        Memory list(room);
        TensorBytes consumed(shared.tensor_count());
        LoaderWeights weights;
        LoaderWeights::Request request;
        request.list_memory = {list.data(), room};
        request.consumer = Into(&consumed);
        request.with_digest = room > 40;
        ASSERT_EQ(weights.Open(opened.loader(), variant, request), MV_OK);
        EXPECT_EQ(weights.list_size() > 0, room > 40 && layout.is_base_layout());
        for (int pass = 0; pass < 2; ++pass) {
          for (size_t i = 0; i < layout.tensor_count(); ++i) {
            const VariantTensor t = layout.tensor(i);
            if (t.base_index == kNoBaseTensor || t.prediction != Prediction::kCopy) continue;
            const std::string expected = bytes.substr(t.offset, t.size);
            if (consumed[t.base_index] != expected) continue;  // Used twice: the first place counts.
            if (shared.tensor(t.base_index).dtype != DType::kI8) continue;
            CoreStatus status;
            EXPECT_TRUE(Weights(weights.source(), t.base_index, t.size, &status) == expected) << i;
            EXPECT_EQ(status, CoreStatus::kOk);
          }
        }
        std::string all;
        for (const std::string& tensor : consumed) all += tensor;
        if (layout.is_base_layout()) {
          EXPECT_TRUE(all == bytes);
        }
      }
    }
  }
}

TEST(LoaderWeightsTest, DamageIsNamedWhenItIsReadWheneverItComes) {
  for (const CodedModels* models : AllModels()) {
    const SharedTables& shared = models->shared->tables();
    const std::string vault = CodedVaultBytes(*models);
    ProvenVault opened(vault);
    const uint64_t base = LoadLe64(Data(vault) + kSectionsField.offset + 2 * kSectionEntrySize);
    mv_variant variant;
    ASSERT_EQ(Find(opened.loader(), "dense", &variant), MV_OK);
    for (const size_t room : {size_t{40}, size_t{200'000}}) {
      Memory list(room);
      LoaderWeights weights;
      LoaderWeights::Request request;
      request.list_memory = {list.data(), room};
      const auto read_all = [&](std::string* bytes) {
        CoreStatus status = CoreStatus::kOk;
        bytes->clear();
        for (size_t i = 0; i < shared.tensor_count() && status == CoreStatus::kOk; ++i) {
          *bytes += Weights(weights.source(), i, shared.tensor(i).size, &status);
        }
        return status;
      };
      ASSERT_EQ(weights.Open(opened.loader(), variant, request), MV_OK);
      std::string whole, part;
      ASSERT_EQ(read_all(&whole), CoreStatus::kOk);
      for (const size_t chunk : {size_t{0}, models->chunks.size() / 2, models->chunks.size() - 1}) {
        uint64_t at = base + 2;
        for (size_t c = 0; c < chunk; ++c) at += models->chunks[c].size();
        char& byte = opened.bytes()[at];
        byte = static_cast<char>(byte ^ 0x10);
        EXPECT_EQ(read_all(&part), CoreStatus::kChecksumMismatch);
        EXPECT_EQ(weights.where().place, MV_PLACE_BASE);
        EXPECT_EQ(weights.where().number, chunk);
        LoaderWeights again;
        EXPECT_EQ(again.Open(opened.loader(), variant, request), MV_CHECKSUM_MISMATCH);
        EXPECT_EQ(again.where().place, MV_PLACE_BASE);
        EXPECT_EQ(again.where().number, chunk);
        byte = vault[at];
        ASSERT_EQ(weights.Open(opened.loader(), variant, request), MV_OK);
      }
      char& byte = opened.bytes()[variant.blob_offset + variant.blob_size - 3];
      byte = static_cast<char>(byte ^ 1);
      EXPECT_EQ(weights.Open(opened.loader(), variant, request), MV_CHECKSUM_MISMATCH);
      EXPECT_EQ(weights.where().place, MV_PLACE_DELTA);
      byte = vault[variant.blob_offset + variant.blob_size - 3];
    }
  }
}

TEST(LoaderWeightsTest, TheDigestAndTheConsumerAreAsked) {
  ProvenVault opened(CodedVaultBytes(Models()));
  for (const char* name : {"ternary", "reordered"}) {
    mv_variant variant;
    ASSERT_EQ(Find(opened.loader(), name, &variant), MV_OK);
    variant.digest ^= 1;
    Memory list(100'000);
    LoaderWeights weights;
    LoaderWeights::Request request;
    request.list_memory = {list.data(), list.size()};
    request.with_digest = true;
    EXPECT_EQ(weights.Open(opened.loader(), variant, request), MV_DIGEST_MISMATCH) << name;
    request.with_digest = false;
    EXPECT_EQ(weights.Open(opened.loader(), variant, request), MV_OK) << name;
    request.consumer = {[](void*, size_t, size_t, ByteView) { return CoreStatus::kOutOfRange; }, nullptr};
    EXPECT_EQ(weights.Open(opened.loader(), variant, request), MV_OUT_OF_RANGE) << name;
  }
}

}  // namespace
}  // namespace modelvault
