#include "tests/tools/packing/talking_vaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/status_matchers.h"
#include "tools/packing/network_builder.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

std::string Pack(const std::string& base, const std::vector<VariantInput>& variants, const std::string& model,
                 const std::string& tokenizer, std::optional<BaseProfile> profile, const std::string& vault) {
  FileSystem& files = FileSystem::Default();
  PackOptions options;
  options.profile = profile;
  absl::StatusOr<NetworkInput> network = ReadNetworkInput(files, model, tokenizer);
  EXPECT_THAT(network, IsOk());
  if (network.ok()) options.network = *std::move(network);
  EXPECT_THAT(PackVault(files, base, variants, vault, options), IsOk());
  return vault;
}

}  // namespace

std::string WriteVocabulary(const TempFolder& folder, const std::string& name, int letters) {
  std::string bytes("\1\0\0\0", 4);
  for (int i = 0; i < 3; ++i) bytes += std::string("\0\0\0\0\0\0\0\0", 8);
  for (int i = 0; i < letters; ++i) bytes += std::string("\0\0\0\0\1\0\0\0", 8) + static_cast<char>('a' + i);
  return folder.Write(name, bytes);
}

std::string PackLanguage(const EvalFiles& files, std::optional<BaseProfile> profile) {
  std::vector<VariantInput> variants;
  for (const std::string name : {"alpha", "beta", "gamma"}) {
    variants.push_back({name, files.File("int8/variants/" + name + ".safetensors")});
  }
  return Pack(files.File("int8/base.safetensors"), variants, files.File("corpus.json"),
              WriteVocabulary(files.folder(), "tok.bin", 26), profile, files.File("talks.mvlt"));
}

std::string PackClassifier(const TempFolder& folder) {
  folder.Write("classes.json", R"({"config": {"architecture": "mlp", "layers": ["output"]}})");
  const auto write = [&](const std::string& name, const std::vector<float>& weights) {
    return folder.Write(name, Int8File({{"output", {{2, 3}, weights}}}));
  };
  const std::string base = write("classes.safetensors", {1, 1, 0, 0, 0, 1});
  const std::string ward = write("ward.safetensors", {0, 0, 1, 1, 1, 0});
  return Pack(base, {{"ward", ward}}, folder.File("classes.json"), "", std::nullopt, folder.File("tells.mvlt"));
}

}  // namespace modelvault
