// The same integers on the host and on the board: the engine's test program in the emulator, against the engine here.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "firmware_riscv/engine_check/engine_image.h"
#include "gtest/gtest.h"
#include "restore/infer/sampler.h"
#include "tests/firmware_riscv/sim/emulated_board.h"
#include "tests/restore/infer/engine_fixture.h"
#include "tests/restore/infer/llama_network.h"

namespace modelvault {
namespace {

TransformerConfig Config() {
  TransformerConfig config;
  config.dim = 48;
  config.hidden_dim = 84;
  config.layers = 2;
  config.heads = 6;
  config.kv_heads = 3;
  config.vocab = 131;
  config.context = 1;
  return config;
}

std::string Words(const std::vector<uint32_t>& words) {
  std::string bytes;
  for (const uint32_t word : words) Put(&bytes, word, 4);
  return bytes;
}

// As ReadNetwork() of the program has it.
std::string NetworkOfImage(const NetworkParts& parts) {
  std::string bytes =
      Words({parts.task, parts.activation_bits, static_cast<uint32_t>(parts.widths.size()),
             static_cast<uint32_t>(parts.rope_steps.size()), static_cast<uint32_t>(parts.operators.size()),
             parts.cache_count, parts.window, parts.sinks, parts.inputs, parts.outputs});
  // The rest of a section is the same.
  return bytes + parts.Bytes().substr(kNetworkHeadSize);
}

class Image {
 public:
  Image() : words_(static_cast<size_t>(EngineImageWord::kWordCount)) {}

  void Set(EngineImageWord word, uint32_t value) { words_[static_cast<size_t>(word)] = value; }
  void Append(EngineImageWord word, std::string bytes) {
    Set(word, static_cast<uint32_t>(4 * words_.size() + bytes_.size()));
    bytes.resize((bytes.size() + 3) / 4 * 4);
    bytes_ += bytes;
  }
  std::string bytes() const { return Words(words_) + bytes_; }

 private:
  std::vector<uint32_t> words_;
  std::string bytes_;
};

std::string ImageOf(const NetworkParts& network, const TestModel& model, const TestDeltas& deltas,
                    const std::vector<uint16_t>& prompt, uint32_t generate) {
  Image image;
  std::string records, data, tokens;
  for (const TestTensor& tensor : model.tensors) {
    records += Words({static_cast<uint32_t>(data.size()), static_cast<uint32_t>(tensor.bytes.size()),
                      static_cast<uint32_t>(tensor.shape.rows), static_cast<uint32_t>(tensor.shape.cols),
                      static_cast<uint32_t>(tensor.shape.dtype)});
    data.append(tensor.bytes.begin(), tensor.bytes.end());
  }
  for (const uint16_t token : prompt) Put(&tokens, token, 2);
  image.Append(EngineImageWord::kNetworkAt, NetworkOfImage(network));
  image.Set(EngineImageWord::kTensorCount, static_cast<uint32_t>(model.tensors.size()));
  image.Append(EngineImageWord::kRecordsAt, records);
  image.Set(EngineImageWord::kDataSize, static_cast<uint32_t>(data.size()));
  image.Append(EngineImageWord::kDataAt, data);
  image.Set(EngineImageWord::kDeltasSize, static_cast<uint32_t>(deltas.bytes().size()));
  image.Append(EngineImageWord::kDeltasAt, std::string(deltas.bytes().begin(), deltas.bytes().end()));
  image.Append(EngineImageWord::kStartsAt, Words(deltas.starts()));
  image.Append(EngineImageWord::kPromptAt, tokens);
  image.Set(EngineImageWord::kPromptCount, static_cast<uint32_t>(prompt.size()));
  image.Set(EngineImageWord::kGenerateCount, generate);
  return image.bytes();
}

// The line that the program prints of scores.
std::string Line(const Scores& scores, uint16_t token) {
  uint32_t hash = 2166136261u ^ static_cast<uint32_t>(scores.exponent);
  for (const int32_t value : scores.values) hash = (hash ^ static_cast<uint32_t>(value)) * 16777619u;
  return absl::StrFormat("%08x %08x", token, hash);
}

class EngineBoardTest : public testing::TestWithParam<uint8_t> {};

TEST_P(EngineBoardTest, GivesTheHostsIntegers) {
  const TransformerConfig config = Config();
  const TestModel base = RandomLlama(config, 77);
  TestModel variant = base;
  std::mt19937 random(78);
  for (TestTensor& tensor : variant.tensors) {
    if (tensor.shape.dtype != DType::kI8) continue;
    for (uint8_t& byte : tensor.bytes) {
      if (random() % 12 == 0) byte = static_cast<uint8_t>(byte + (random() % 2 != 0 ? 2 : -2));
    }
  }
  const TestDeltas deltas(base, variant, 2);
  const NetworkOptions options = {.window = 24, .sinks = 3, .activation_bits = GetParam()};
  const NetworkParts network = LlamaNetwork(config, base, options);
  const std::vector<uint16_t> prompt = {1, 130, 17, 5, 99, 3, 42};
  constexpr uint32_t kGenerate = 40;  // Beyond the window.

  // The parameters are the base's: only weights differ.
  TestEngine engine(network, base);
  TestSource source(&base);
  source.deltas = deltas.list();
  std::vector<std::string> expected;
  std::vector<uint16_t> tokens = prompt;
  for (uint32_t i = 0; i <= kGenerate; ++i) {
    ASSERT_EQ(engine->Run(tokens.data(), tokens.size(), source.source()), CoreStatus::kOk);
    tokens = {BestToken(engine->scores())};
    expected.push_back(Line(engine.scores(), tokens[0]));
  }

  EmulatedBoard board(MODELVAULT_ENGINE_CHECK, ImageOf(network, base, deltas, prompt, kGenerate));
  const BoardRun run = board.Run();
  EXPECT_EQ(run.exit_code, 0);
  std::vector<std::string> lines = absl::StrSplit(run.output, '\n');
  ASSERT_GE(lines.size(), expected.size()) << run.output;
  lines.resize(expected.size());
  EXPECT_EQ(lines, expected);
}

INSTANTIATE_TEST_SUITE_P(ActivationBits, EngineBoardTest, testing::Values(8, 4));

}  // namespace
}  // namespace modelvault
