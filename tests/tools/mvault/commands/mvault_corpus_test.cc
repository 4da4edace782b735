// mvault on the real models: 100 departments of one base in a vault, and everything back.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/mvault/program_run.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

const std::string kCorpus = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k/";

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// Every variant, by name.
std::map<std::string, std::string> VariantsIn(const std::string& folder) {
  std::map<std::string, std::string> variants;
  for (const auto& entry : fs::directory_iterator(folder)) variants[entry.path().stem()] = entry.path();
  return variants;
}

// Restores `name` and compares it with `file`.
void ExpectComesBack(const TempFolder& folder, const std::string& vault, const std::string& name,
                     const std::string& file) {
  const ProgramRun run = Mvault({"restore", vault, name, "-o", folder.File("restored")});
  ASSERT_EQ(run.exit_code, 0) << name << ": " << run.err;
  EXPECT_TRUE(folder.Read("restored") == ReadFile(file)) << name;
}

TEST(MvaultCorpusTest, AHundredDepartmentsFitIntoAMillionBytesAndComeBack) {
  const TempFolder folder;
  const std::string vault = folder.File("all.mvlt");
  const auto variants = VariantsIn(kCorpus + "int8/variants");
  ASSERT_EQ(variants.size(), 100u);
  const ProgramRun packed = Mvault({"pack", "--base", kCorpus + "int8/base.safetensors", "--variants",
                                    kCorpus + "int8/variants", "--budget", "1000000", "-o", vault, "--json"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  const nlohmann::json json = packed.Json();
  EXPECT_EQ(json["profile"], "small");
  const auto part = [&](const char* key) { return json["parts"].at(key).get<uint64_t>(); };
  uint64_t sum = 0;
  for (const auto& [key, bytes] : json["parts"].items()) {
    printf("%-20s %8d\n", key.c_str(), bytes.get<int>());
    sum += bytes.get<uint64_t>();
  }
  printf("%-20s %8d\n", "file", json["bytes"].get<int>());
  EXPECT_EQ(json["bytes"], fs::file_size(vault));
  EXPECT_EQ(sum, json["bytes"]);

  EXPECT_LE(json["bytes"], 1'000'000);
  const uint64_t model = part("model_tables") + part("model_dictionaries") + part("model_priors");
  const uint64_t int8 = part("base_int8") + part("heads") + part("trits") + part("scales") + part("residuals");
  EXPECT_LE(int8 + model, 975'000u) << "INT8 streams with all their parameters";
  // zstd --ultra -22 of the same weights. The tables of the base are its own; the priors are its variants'.
  EXPECT_LE(part("base_int8") + part("model_tables") + part("model_dictionaries"), 187'303u) << "the base's INT8";

  for (const auto& [name, path] : variants) ExpectComesBack(folder, vault, name, path);
  ExpectComesBack(folder, vault, "base", kCorpus + "int8/base.safetensors");
  const ProgramRun verified = Mvault({"verify", vault, "--json"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(verified.Json()["models"], 101);
}

TEST(MvaultCorpusTest, WithinAMebibyteTheBaseIsStoredAsItIs) {
  const TempFolder folder;
  const std::string vault = folder.File("all.mvlt");
  const ProgramRun packed = Mvault({"pack", "--base", kCorpus + "int8/base.safetensors", "--variants",
                                    kCorpus + "int8/variants", "--budget", "1MiB", "-o", vault, "--json"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  const nlohmann::json json = packed.Json();
  EXPECT_EQ(json["profile"], "fast");
  EXPECT_LE(json["bytes"], 1 << 20);
  EXPECT_GE(json["other_profile_bytes"], 950'000);
  EXPECT_LE(json["other_profile_bytes"], 1'000'000);
  ExpectComesBack(folder, vault, "base", kCorpus + "int8/base.safetensors");
  ExpectComesBack(folder, vault, "myopathy-weakness", kCorpus + "int8/variants/myopathy-weakness.safetensors");
}

// Order-0 cost in bytes of the INT8 residuals, tensor by tensor.
double Order0OfResidual(const ModelFile& base, const ModelFile& variant) {
  double bits = 0;
  for (size_t i = 0; i < base.tensors().size(); ++i) {
    const ModelTensor& a = base.tensors()[i];
    const ModelTensor& b = variant.tensors()[i];
    EXPECT_EQ(a.name, b.name);
    if (a.dtype != DType::kI8) continue;
    std::vector<uint8_t> x(a.size());
    std::vector<uint8_t> y(b.size());
    EXPECT_THAT(base.ReadData(a.begin, absl::MakeSpan(x)), IsOk());
    EXPECT_THAT(variant.ReadData(b.begin, absl::MakeSpan(y)), IsOk());
    std::map<int, double> counts;
    for (size_t j = 0; j < x.size(); ++j) ++counts[static_cast<int8_t>(y[j]) - static_cast<int8_t>(x[j])];
    for (const auto& [residual, count] : counts) bits += count * std::log2(static_cast<double>(x.size()) / count);
  }
  return bits / 8;
}

TEST(MvaultCorpusTest, VariantsThatAreNotTernaryCostAboutTheEntropyOfTheirResidual) {
  const TempFolder folder;
  const std::string vault = folder.File("full.mvlt");
  const std::string base_path = kCorpus + "int8-full/base.safetensors";
  const ProgramRun packed =
      Mvault({"pack", "--base", base_path, "--variants", kCorpus + "int8-full/variants", "-o", vault, "--json"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  FileSystem& disk = FileSystem::Default();
  ASSERT_OK_AND_ASSIGN(const ModelFile base, OpenModelFile(disk, base_path));
  const auto variants = VariantsIn(kCorpus + "int8-full/variants");
  ASSERT_EQ(variants.size(), 8u);
  const nlohmann::json json = packed.Json();
  for (const auto& variant : json["variants"]) {
    const std::string name = variant["name"];
    ASSERT_OK_AND_ASSIGN(const ModelFile file, OpenModelFile(disk, variants.at(name)));
    const double bound = 1.01 * Order0OfResidual(base, file) + 1500;
    printf("%-24s %6d bytes, bound %8.1f\n", name.c_str(), variant["stored_bytes"].get<int>(), bound);
    EXPECT_LE(variant["stored_bytes"].get<double>(), bound) << name;
    ExpectComesBack(folder, vault, name, variants.at(name));
  }
}

TEST(MvaultCorpusTest, FloatCheckpointsOfAnotherDtypeThanTheirBaseComeBack) {
  const TempFolder folder;
  const std::string vault = folder.File("float.mvlt");
  std::vector<std::string> arguments = {"pack", "--base", kCorpus + "base.safetensors", "-o", vault};
  auto variants = VariantsIn(kCorpus + "variants");
  ASSERT_GE(variants.size(), 12u);
  variants.erase(std::next(variants.begin(), 12), variants.end());
  for (const auto& [name, path] : variants) arguments.insert(arguments.end(), {"--variant", name + "=" + path});
  const ProgramRun packed = Mvault(arguments);
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  for (const auto& [name, path] : variants) ExpectComesBack(folder, vault, name, path);
  ExpectComesBack(folder, vault, "base", kCorpus + "base.safetensors");
}

// The figures another program computed for a department.
const nlohmann::json& Known(const nlohmann::json& list, const std::string& name) {
  static const nlohmann::json kNone;
  for (const nlohmann::json& entry : list) {
    if (entry["name"] == name) return entry;
  }
  ADD_FAILURE() << name << " is not in the list";
  return kNone;
}

TEST(MvaultCorpusTest, EvaluationsAgreeWithAnotherImplementation) {
  const nlohmann::json floats = nlohmann::json::parse(ReadFile(kCorpus + "corpus.json"));
  const nlohmann::json int8 = nlohmann::json::parse(ReadFile(kCorpus + "int8/int8.json"));
  const std::vector<std::string> names = {"cancer-trial", "heart-doctor", "parasites-infected", "heart-cardiac"};
  const TempFolder folder;
  std::vector<std::string> pack = {"pack", "--base", kCorpus + "int8/base.safetensors", "-o", folder.File("v.mvlt")};
  for (const std::string& name : names) {
    pack.insert(pack.end(), {"--variant", name + "=" + kCorpus + "int8/variants/" + name + ".safetensors"});
  }
  ASSERT_EQ(Mvault(pack).exit_code, 0);
  const ProgramRun run = Mvault(
      {"eval", folder.File("v.mvlt"), "--model", kCorpus + "corpus.json", "--tokens", kCorpus + "heldout", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const nlohmann::json json = run.Json();
  ASSERT_EQ(json["variants"].size(), names.size());
  EXPECT_EQ(json["missing"].size(), 96u);
  for (const nlohmann::json& v : json["variants"]) {
    SCOPED_TRACE(v["name"]);
    const auto near = [&](const char* ours, const nlohmann::json& theirs, const char* key, double tolerance) {
      EXPECT_NEAR(v[ours].get<double>(), theirs[key].get<double>(), tolerance) << ours;
    };
    const nlohmann::json& f = Known(floats["variants"], v["name"]);
    const nlohmann::json& i = Known(int8["variants"], v["name"]);
    EXPECT_EQ(v["tokens"], f["tokens"]);
    near("base_nll", f, "base_nll", 1e-3);
    near("finetune_nll", f, "variant_nll", 1e-3);
    near("restored_nll", i, "int8_nll", 1e-3);
    near("base_top1", f, "base_top1", 1e-3);
    near("finetune_top1", f, "variant_top1", 1e-3);
    near("restored_top1", i, "int8_top1", 1e-3);
  }
}

TEST(MvaultCorpusTest, FloatAndInt8ModelsOfOneFolderAreToldApart) {
  const TempFolder folder;
  const auto link = [&](const std::string& from, const std::string& name) {
    fs::create_symlink(kCorpus + from, folder.File(name + ".safetensors"));
  };
  link("base.safetensors", "f-base");
  link("int8/base.safetensors", "i-base");
  int count = 0;
  for (const auto& [name, path] : VariantsIn(kCorpus + "variants")) {
    link("variants/" + name + ".safetensors", "f-" + name);
    link("int8/variants/" + name + ".safetensors", "i-" + name);
    if (++count == 5) break;
  }
  const nlohmann::json json = Mvault({"cluster", folder.path(), "--sample", "64KiB", "--json"}).Json();
  ASSERT_EQ(json["clusters"].size(), 2u) << json.dump(1);
  EXPECT_TRUE(json["alone"].empty());
  for (const nlohmann::json& cluster : json["clusters"]) {
    const std::string base = cluster["base"]["name"];
    EXPECT_EQ(base.substr(1), "-base");
    EXPECT_EQ(cluster["variants"].size(), 5u);
    for (const nlohmann::json& variant : cluster["variants"]) {
      EXPECT_EQ(variant["name"].get<std::string>()[0], base[0]);
    }
  }
}

}  // namespace
}  // namespace modelvault
