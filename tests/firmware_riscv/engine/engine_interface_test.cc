// The engine's C interface on the host: the same answers in whatever memory, and nothing from damaged weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "firmware_riscv/engine/modelvault_engine.h"
#include "nlohmann/json.hpp"
#include "restore/infer/sampler.h"
#include "restore/model_engine.h"
#include "restore/restorer.h"
#include "tests/firmware_riscv/loader/loader_fixture.h"
#include "tests/status_matchers.h"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/packing/talking_vaults.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

using Ids = std::vector<uint16_t>;

constexpr size_t kTile = MV_ENGINE_TILE_SIZE;
constexpr char kPrompt[] = "thequickbrownfoxjumps";
constexpr size_t kTokens = 20;
constexpr size_t kRestored = 10000;  // What a model takes that is restored each time, but less than a list beside it.

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// A vault in memory that a test may damage.
class Flash {
 public:
  explicit Flash(const std::string& bytes) : words_(bytes.size() / 8 + 1), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(words_.data()));
  }
  uint8_t* data() { return reinterpret_cast<uint8_t*>(words_.data()); }
  size_t size() const { return size_; }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

class EngineInterfaceTest : public testing::Test {
 protected:
  // `size` bytes for the loader and the engine.
  void Open(Flash* flash, size_t size, const std::string& name) {
    memory_ = std::make_unique<Memory>(size);
    ASSERT_EQ(mv_open(flash->data(), flash->size(), memory_->data(), memory_->size(), &watchdog_, &loader_, nullptr),
              MV_OK);
    ASSERT_EQ(Find(loader_, name, &variant_), MV_OK);
  }
  static size_t Sum(const mv_engine_memory& m) {
    return m.loader + m.engine + m.cache + m.activations + m.parameters + m.list - m.more;
  }
  // What an engine of `name` needs beside a list.
  mv_engine_memory Needed(Flash* flash, const std::string& name, size_t more = 0) {
    Open(flash, 1 << 20, name);
    mv_engine_memory needed = {};
    EXPECT_EQ(mv_engine_memory_needed(loader_, &variant_, kTile, more, &needed), MV_OK);
    return needed;
  }
  Ids Answer(mv_engine* engine) {
    const uint16_t* prompt;
    size_t count;
    EXPECT_EQ(mv_engine_encode(engine, kPrompt, sizeof(kPrompt) - 1, &prompt, &count, nullptr), MV_OK);
    mv_engine_reset(engine);
    mv_error error = mv_engine_run(engine, prompt, count);
    Ids ids;
    for (uint16_t token; error == MV_OK && ids.size() < kTokens; error = mv_engine_run(engine, &token, 1)) {
      EXPECT_EQ(mv_engine_pick(engine, &token), MV_OK);
      ids.push_back(token);
    }
    EXPECT_EQ(error, MV_OK);
    return ids;
  }
  Ids OnHost(const std::string& name) {
    Ids ids;
    absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::Open(FileSystem::Default(), path_);
    EXPECT_THAT(restorer, IsOk());
    if (!restorer.ok()) return ids;
    absl::StatusOr<std::unique_ptr<ModelEngine>> engine = ModelEngine::Open(**restorer, name.empty() ? "base" : name);
    EXPECT_THAT(engine, IsOk());
    if (!engine.ok()) return ids;
    const absl::StatusOr<Ids> prompt = (*engine)->Encode(kPrompt);
    EXPECT_THAT(prompt, IsOk());
    if (!prompt.ok()) return ids;
    Sampler best(0, 0, 0);
    absl::Status status = (*engine)->Run(*prompt);
    while (status.ok() && ids.size() < kTokens) {
      ids.push_back(best.Pick((*engine)->scores()));
      status = (*engine)->Run({&ids.back(), 1});
    }
    EXPECT_THAT(status, IsOk());
    return ids;
  }
  // The same models with room for so many positions.
  void Widen(int window) {
    nlohmann::json model = nlohmann::json::parse(files_.folder().Read("corpus.json"));
    model["config"]["window"] = window;
    files_.folder().Write("corpus.json", model.dump());
  }
  uint64_t SectionOffset(Flash* flash, Section section) {
    VaultHeader header;
    EXPECT_EQ(ParseHeader({flash->data(), kHeaderSize}, flash->size(), &header), CoreStatus::kOk);
    return header.section(section).offset;
  }

  EvalFiles files_;
  std::string path_ = PackLanguage(files_, BaseProfile::kFast);
  int fed_ = 0;
  mv_watchdog watchdog_ = {[](void* fed) { ++*static_cast<int*>(fed); }, &fed_};
  std::unique_ptr<Memory> memory_;
  mv_loader* loader_ = nullptr;
  mv_variant variant_ = {};
};

TEST_F(EngineInterfaceTest, AnswersAsTheHostInWhateverMemory) {
  // A cache that what restores needs as well, and one that is larger.
  for (const int window : {16, 1000}) {
    SCOPED_TRACE(window);
    Widen(window);
    path_ = PackLanguage(files_, BaseProfile::kFast);
    Flash flash(ReadFile(path_));
    for (const std::string name : {"", "alpha", "beta"}) {
      SCOPED_TRACE(name);
      const Ids expected = OnHost(name);
      const size_t least = Sum(Needed(&flash, name)) + kRestored;
      for (const size_t more : {0, 1000, 100000}) {
        for (const size_t room : {least, least + (64 << 10)}) {
          Open(&flash, room + more, name);
          // The engine is told of less than there is, so that the rest is `more`.
          mv_loader* loader;
          ASSERT_EQ(mv_open(flash.data(), flash.size(), memory_->data(), room, &watchdog_, &loader, nullptr), MV_OK);
          mv_engine* engine;
          ASSERT_EQ(mv_engine_open(loader, &variant_, kTile, more, &engine, nullptr), MV_OK);
          mv_engine_memory used;
          mv_engine_memory_used(engine, &used);
          EXPECT_TRUE(used.list > 0 || room == least);
          EXPECT_EQ(used.more > 0, more > 0 && used.list > 0 && window == 1000);
          EXPECT_LE(Sum(used), room);
          fed_ = 0;
          EXPECT_EQ(Answer(engine), expected);
          EXPECT_GT(fed_, 100);
          // And again.
          EXPECT_EQ(Answer(engine), expected);
        }
      }
    }
  }
}

TEST_F(EngineInterfaceTest, TooLittleMemoryIsSaid) {
  Flash flash(ReadFile(path_));
  const mv_engine_memory needed = Needed(&flash, "alpha");
  Open(&flash, Sum(needed) - needed.list - 8, "alpha");
  mv_engine* engine;
  mv_fault fault;
  EXPECT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, &fault), MV_WORKSPACE_TOO_SMALL);
  EXPECT_EQ(fault.place, MV_PLACE_MEMORY);
  EXPECT_EQ(engine, nullptr);
  // The loader goes on.
  EXPECT_EQ(Restore(loader_, variant_, kTile).verdict, MV_VERIFIED);
  EXPECT_EQ(mv_engine_open(loader_, &variant_, 255, 0, &engine, &fault), MV_BAD_ARGUMENT);
}

TEST_F(EngineInterfaceTest, ADamagedChunkEndsTheAnswerAndIsNamed) {
  Flash flash(ReadFile(path_));
  Open(&flash, 1 << 20, "alpha");
  mv_engine* engine;
  ASSERT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, nullptr), MV_OK);
  const Ids expected = OnHost("alpha");
  const uint64_t base = SectionOffset(&flash, Section::kBase);
  const uint64_t behind = SectionOffset(&flash, Section::kIndex);
  size_t ended = 0;
  for (uint64_t at = base; at < behind; at += 997) {
    SCOPED_TRACE(at);
    flash.data()[at] ^= 0x10;
    mv_engine_reset(engine);
    const uint16_t tokens[] = {1, 5, 9};
    const mv_error error = mv_engine_run(engine, tokens, 3);
    flash.data()[at] ^= 0x10;
    if (error == MV_OK) continue;  // No weight that is used.
    ++ended;
    EXPECT_EQ(error, MV_CHECKSUM_MISMATCH);
    size_t offset;
    const mv_fault fault = mv_engine_where(engine, &offset);
    EXPECT_EQ(fault.place, MV_PLACE_BASE);
    EXPECT_LE(offset, at);
    EXPECT_GT(offset + 4096 + 8, at);
    uint16_t token;
    EXPECT_EQ(mv_engine_pick(engine, &token), MV_NOT_FINISHED);
    const int32_t* values;
    size_t count;
    int exponent;
    EXPECT_EQ(mv_engine_scores(engine, &values, &count, &exponent), MV_NOT_FINISHED);
  }
  EXPECT_GT(ended, 0u);
  EXPECT_EQ(Answer(engine), expected);
}

TEST_F(EngineInterfaceTest, ADamagedDeltaEndsWhatIsRestoredEachTime) {
  Flash flash(ReadFile(path_));
  const size_t least = Sum(Needed(&flash, "alpha")) + kRestored;
  Open(&flash, least, "alpha");
  mv_engine* engine;
  ASSERT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, nullptr), MV_OK);
  mv_engine_memory used;
  mv_engine_memory_used(engine, &used);
  ASSERT_EQ(used.list, 0u);
  flash.data()[variant_.blob_offset + variant_.blob_size / 2] ^= 1;
  const uint16_t token = 1;
  EXPECT_EQ(mv_engine_run(engine, &token, 1), MV_CHECKSUM_MISMATCH);
  size_t offset;
  const mv_fault fault = mv_engine_where(engine, &offset);
  EXPECT_EQ(fault.place, MV_PLACE_DELTA);
  EXPECT_EQ(offset, variant_.blob_offset);
}

TEST_F(EngineInterfaceTest, AModelThatIsStartedEndsTheEngine) {
  Flash flash(ReadFile(path_));
  Open(&flash, 1 << 20, "alpha");
  mv_engine* engine;
  ASSERT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, nullptr), MV_OK);
  const Ids expected = Answer(engine);
  EXPECT_EQ(mv_start(loader_, &variant_, MV_MIN_TILE_SIZE), MV_WORKSPACE_TOO_SMALL);
  const uint16_t token = 1;
  EXPECT_EQ(mv_engine_run(engine, &token, 1), MV_BAD_ARGUMENT);
  mv_engine_close(engine);
  EXPECT_EQ(Restore(loader_, variant_, MV_DEFAULT_TILE_SIZE).verdict, MV_VERIFIED);
  ASSERT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, nullptr), MV_OK);
  EXPECT_EQ(Answer(engine), expected);
}

TEST_F(EngineInterfaceTest, WhatIsWrongWithANetworkIsSaid) {
  Flash flash(ReadFile(path_));
  const uint64_t network = SectionOffset(&flash, Section::kNetwork);
  flash.data()[network + 9] ^= 1;
  Open(&flash, 1 << 20, "");
  mv_engine* engine;
  mv_fault fault;
  EXPECT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, &fault), MV_CHECKSUM_MISMATCH);
  EXPECT_EQ(fault.place, MV_PLACE_NETWORK);
  EXPECT_EQ(mv_offset_of(loader_, &variant_, fault), network);

  Flash silent(CodedVaultBytes(WholeModels()));
  Open(&silent, 1 << 20, "");
  EXPECT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, &fault), MV_NOT_FOUND);
  EXPECT_EQ(fault.place, MV_PLACE_NETWORK);
}

TEST_F(EngineInterfaceTest, TextsBecomeTokensAndBack) {
  Flash flash(ReadFile(path_));
  Open(&flash, 1 << 20, "");
  mv_engine* engine;
  ASSERT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, nullptr), MV_OK);
  mv_engine_info info;
  mv_engine_describe(engine, &info);
  EXPECT_EQ(info.task, MV_TASK_TOKENS);
  EXPECT_EQ(info.has_tokenizer, 1);
  EXPECT_EQ(info.begin_token, 1);
  EXPECT_EQ(info.end_token, 2);
  EXPECT_EQ(mv_engine_features(engine), nullptr);
  const uint16_t* tokens;
  size_t count, bad_offset, size;
  ASSERT_EQ(mv_engine_encode(engine, "az", 2, &tokens, &count, &bad_offset), MV_OK);
  EXPECT_EQ(Ids(tokens, tokens + count), (Ids{1, 3, 28}));
  EXPECT_EQ(std::string(mv_engine_text(engine, 28, &size), 1), "z");
  EXPECT_EQ(size, 1u);
  mv_engine_text(engine, 60000, &size);
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(mv_engine_encode(engine, "az!", 3, &tokens, &count, &bad_offset), MV_NOT_FOUND);
  EXPECT_EQ(bad_offset, 2u);
  const std::string longest(MV_ENGINE_MAX_TEXT, 'q');
  ASSERT_EQ(mv_engine_encode(engine, longest.data(), longest.size(), &tokens, &count, &bad_offset), MV_OK);
  EXPECT_EQ(count, longest.size() + 1);
  EXPECT_EQ(mv_engine_encode(engine, longest.data(), longest.size() + 1, &tokens, &count, nullptr), MV_BAD_ARGUMENT);
  const uint16_t beyond = 29;
  EXPECT_EQ(mv_engine_run(engine, &beyond, 1), MV_BAD_ARGUMENT);
  EXPECT_EQ(mv_engine_where(engine, &size).place, MV_PLACE_UNKNOWN);
}

TEST_F(EngineInterfaceTest, FeaturesGiveScoresOfClasses) {
  Flash flash(ReadFile(PackClassifier(files_.folder())));
  const mv_engine_memory needed = Needed(&flash, "ward");
  // What restores has its place where the base's chunk lies later, and there is no cache.
  EXPECT_EQ(needed.cache, 0u);
  // With a list, and without the memory for one.
  for (const size_t room : {size_t{1} << 20, Sum(needed) - needed.list}) {
    SCOPED_TRACE(room);
    Open(&flash, room, "ward");
    mv_engine* engine;
    ASSERT_EQ(mv_engine_open(loader_, &variant_, kTile, 0, &engine, nullptr), MV_OK);
    mv_engine_memory used;
    mv_engine_memory_used(engine, &used);
    EXPECT_EQ(used.list > 0, room == 1 << 20);
    EXPECT_LE(Sum(used), room);
    mv_engine_info info;
    mv_engine_describe(engine, &info);
    EXPECT_EQ(info.task, MV_TASK_FEATURES);
    ASSERT_EQ(info.inputs, 3u);
    for (int turn = 0; turn < 2; ++turn) {
      int32_t* const features = mv_engine_features(engine);
      features[0] = 1 << 16;
      features[1] = 2 << 16;
      features[2] = 1 << 15;
      ASSERT_EQ(mv_engine_run_features(engine, features, 3), MV_OK);
      const int32_t* values;
      size_t count;
      int exponent;
      ASSERT_EQ(mv_engine_scores(engine, &values, &count, &exponent), MV_OK);
      ASSERT_EQ(count, 2u);
      EXPECT_NEAR(std::ldexp(values[0], exponent), 0.5, 0.05);
      EXPECT_NEAR(std::ldexp(values[1], exponent), 3, 0.05);
    }
    uint16_t best;
    EXPECT_EQ(mv_engine_pick(engine, &best), MV_OK);
    EXPECT_EQ(best, 1);
    EXPECT_EQ(mv_engine_run_features(engine, mv_engine_features(engine), 2), MV_BAD_ARGUMENT);
    const uint16_t token = 1;
    EXPECT_EQ(mv_engine_run(engine, &token, 1), MV_BAD_ARGUMENT);
  }
}

}  // namespace
}  // namespace modelvault
