// Holds the cycles that the board takes, phase by phase, and the RAM it needs against those of board_baseline.json: a
// change that costs more than 3 % of any of them fails, and so does one that gains as much until the file says so.
// With MODELVAULT_UPDATE_BASELINE=1 in the environment the file is written anew instead.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_format.h"
#include "bench/sample_model.h"
#include "nlohmann/json.hpp"
#include "tests/temp_folder.h"

namespace modelvault::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kTolerance = 0.03;
constexpr unsigned kVariants = 4;

// Runs mvault and returns what it prints.
std::string Mvault(const TempFolder& folder, const std::string& arguments) {
  const std::string command = std::string("'") + MODELVAULT_PROGRAM + "' " + arguments + " >'" + folder.File("out") +
                              "' 2>'" + folder.File("err") + "'";
  const int status = system(command.c_str());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << folder.Read("err");
  return folder.Read("out");
}

// A variant whose differences no scale explains: small ones everywhere.
void WriteResidualVariant(const TempFolder& folder, const SampleModel& model, const std::string& base) {
  std::string file = folder.Read(base);
  const size_t data = file.size() - model.data().size();
  for (const ModelTensor& tensor : model.tensors()) {
    if (tensor.dtype != DType::kI8) continue;
    for (uint64_t i = tensor.begin; i < tensor.end; ++i) {
      char& weight = file[data + static_cast<size_t>(i)];
      const int change = static_cast<int>(i * 2654435761u >> 8 & 3) - 1;
      if (weight > -120 && weight < 120) weight = static_cast<char>(weight + change);
    }
  }
  folder.Write("residual.safetensors", file);
}

// Packs the variants `names` and adds what the board says of each model to `*measured`, its name behind `prefix`.
void MeasureVault(const TempFolder& folder, const std::vector<std::string>& names, const std::string& profile,
                  const std::string& prefix, Json* measured) {
  std::string pack = "pack --base '" + folder.File("base.safetensors") + "' --profile " + profile + " -o '" +
                     folder.File("all.mvlt") + "'";
  for (const std::string& name : names) pack += " --variant '" + name + "=" + folder.File(name + ".safetensors") + "'";
  Mvault(folder, pack);
  const Json report = Json::parse(
      Mvault(folder, "board '" + folder.File("all.mvlt") + "' --all --json --partition 2MiB"), nullptr, false);
  for (const Json& result : report.value("results", Json::array())) {
    Json& figures = (*measured)[prefix + result.at("name").get<std::string>()];
    figures["RAM bytes"] = result.at("ram_bytes");
    figures["RAM bytes, proven tiles"] = result.at("proven_ram_bytes");
    for (const Json& phase : result.at("phases")) figures[phase.at("phase").get<std::string>()] = phase.at("cycles");
  }
}

// By model: what is held against the baseline.
Json Measure() {
  const TempFolder folder;
  const SampleModel model;
  std::vector<std::string> names = model.WriteFiles(folder.path(), kVariants);
  WriteResidualVariant(folder, model, "base.safetensors");
  names.push_back("residual");
  Json measured;
  MeasureVault(folder, names, "small", "", &measured);
  MeasureVault(folder, {names.front()}, "fast", "fast: ", &measured);
  return measured;
}

TEST(BoardBaselineTest, NothingGotSlowerOrLarger) {
  const Json measured = Measure();
  ASSERT_EQ(measured.size(), kVariants + 4);
  if (getenv("MODELVAULT_UPDATE_BASELINE") != nullptr) {
    std::ofstream(MODELVAULT_BASELINE) << measured.dump(2) << "\n";
    return;
  }
  std::ifstream file(MODELVAULT_BASELINE);
  const Json baseline = Json::parse(file, nullptr, false);
  ASSERT_TRUE(baseline.is_object()) << MODELVAULT_BASELINE << " cannot be read";
  EXPECT_EQ(measured.size(), baseline.size());
  for (const auto& [name, figures] : measured.items()) {
    ASSERT_TRUE(baseline.contains(name)) << name;
    EXPECT_EQ(figures.size(), baseline.at(name).size()) << name;
    for (const auto& [what, value] : figures.items()) {
      ASSERT_TRUE(baseline.at(name).contains(what)) << name << ", " << what;
      const double now = value, before = baseline.at(name).at(what);
      const double change = now / before - 1;
      EXPECT_LE(std::abs(change), kTolerance)
          << name << ", " << what << ": " << value << ", the baseline has " << baseline.at(name).at(what) << " ("
          << absl::StrFormat("%+.1f", 100 * change) << " %)"
          << (change > 0 ? ". If that is meant, update" : ": better. Update")
          << " the baseline: MODELVAULT_UPDATE_BASELINE=1 " << MODELVAULT_THIS_TEST;
    }
  }
}

}  // namespace
}  // namespace modelvault::bench
