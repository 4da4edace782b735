#include "tests/tools/mvault/cli_models.h"

#include <filesystem>
#include <utility>

#include "codec/core/bytes.h"
#include "codec/core/prediction.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

FileModel Halved(const FileModel& base) {
  FileModel half = base;
  for (FileTensor& t : half.tensors) {
    if (t.dtype != "F32") continue;
    std::string data;
    for (size_t at = 0; at < t.data.size(); at += 4) {
      const uint16_t bits = F32ToF16(LoadLe32(reinterpret_cast<const uint8_t*>(&t.data[at])));
      data.push_back(static_cast<char>(bits & 0xFF));
      data.push_back(static_cast<char>(bits >> 8));
    }
    t.dtype = "F16";
    t.data = data;
  }
  return half;
}

}  // namespace

CliModels::CliModels(uint64_t seed) {
  TestRandom random(seed);
  base_.tensors = {
      MakeTensor("embed", "I8", {96, 64}, &random),    MakeTensor("embed.scale", "F32", {96}, &random),
      MakeTensor("layer.w", "I8", {64, 172}, &random), MakeTensor("layer.norm", "F32", {64}, &random),
      MakeTensor("bias", "I16", {7}, &random),         MakeTensor("mask", "BOOL", {5}, &random),
      MakeTensor("empty", "I8", {0, 8}, &random),      MakeTensor("scalar", "F32", {}, &random),
      MakeTensor("tiny", "F8_E4M3", {3}, &random),
  };
  // Rows that repeat, for a dictionary.
  std::string& embed = base_.tensors[0].data;
  for (size_t row = 40; row < 96; ++row) embed.replace(row * 64, 64, embed, 0, 64);
  base_.metadata = {{"format", "pt"}};

  few_ = base_;
  for (const size_t tensor : {0, 2}) {
    std::string& data = few_.tensors[tensor].data;
    for (char& weight : data) {
      if (random.Below(40) == 0) weight = static_cast<char>(weight + (random.Below(2) == 0 ? 2 : -2));
    }
  }
  FileModel free = base_;
  for (char& weight : free.tensors[2].data) weight = static_cast<char>(weight + static_cast<char>(random.Below(9)) - 4);
  FileModel odd = Ternary(base_, 30, &random);
  std::swap(odd.tensors[0], odd.tensors[3]);
  odd.metadata = {{"author", "somebody \\u001b[31m else"}};
  files_ = {
      {"base", Serialize(base_)},        {"few", Serialize(few_)},  {"many", Serialize(Ternary(base_, 4, &random))},
      {"twin", Serialize(base_)},        {"free", Serialize(free)}, {"odd", SerializeOddly(odd, &random)},
      {"half", Serialize(Halved(base_))}};
  std::filesystem::create_directory(variants());
  for (const auto& [name, bytes] : files_) {
    folder_.Write(name == "base" ? "base.safetensors" : "departments/" + name + ".safetensors", bytes);
  }
}

std::string CliModels::Pack(const std::string& name) const {
  const ProgramRun run =
      Mvault({"pack", "--base", base(), "--variants", variants(), "--segment-size", "4KiB", "-o", File(name)});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return File(name);
}

}  // namespace modelvault
