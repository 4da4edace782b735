// mvault fit on models of a few thousand weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/vault/faulty_file_system.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MvaultFitTest : public testing::Test {
 protected:
  ProgramRun Fit(const std::string& output, const std::vector<std::string>& more = {}) {
    const FitFiles files = models_.files();
    std::vector<std::string> arguments = {
        "fit",           "--base",       files.base,       "--variants", models_.File("variants"), "--curvature",
        files.curvature, "--importance", files.importance, "-o",         models_.File(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Mvault(arguments);
  }

  // One error line, nothing else, and no vault.
  void ExpectError(const ProgramRun& run, int exit_code, const std::string& message) {
    EXPECT_EQ(run.exit_code, exit_code) << run;
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, AllOf(StartsWith("mvault: error: "), HasSubstr(message)));
    EXPECT_THAT(models_.folder().Names(), Not(Contains("v.mvlt")));
  }

  // The text's notes.
  std::string Notes(const std::vector<std::string>& options) {
    const ProgramRun run = Fit("v.mvlt", options);
    EXPECT_EQ(run.exit_code, 0) << run;
    return run.out.substr(std::min(run.out.size(), run.out.find("note: ")));
  }

  FittingFiles models_;
};

TEST_F(MvaultFitTest, LeavesAVaultItsModelsAndTheBill) {
  const ProgramRun run = Fit("v.mvlt", {"--budget", "12000", "--report", models_.File("r.html"), "--json-report",
                                        models_.File("r.json"), "--export-int8", models_.File("int8"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json report = run.Json();
  EXPECT_EQ(report["bytes"], models_.folder().Read("v.mvlt").size());
  EXPECT_LE(report["bytes"], 12000);
  EXPECT_EQ(report["budget"], 12000);
  ASSERT_EQ(report["variants"].size(), 4u);
  EXPECT_EQ(report["curve"].size(), 2u) << "half of the budget is less than the base takes";
  EXPECT_EQ(nlohmann::json::parse(models_.folder().Read("r.json")), report);
  EXPECT_THAT(models_.folder().Read("r.html"),
              AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("<svg"), HasSubstr("gamma"), Not(HasSubstr("<script")),
                    Not(HasSubstr("http"))));
  EXPECT_EQ(Mvault({"restore", models_.File("v.mvlt"), "beta", "-o", models_.File("beta")}).exit_code, 0);
  EXPECT_TRUE(models_.folder().Read("beta") == models_.folder().Read("int8/variants/beta.safetensors"));
  EXPECT_THAT(models_.folder().Names(), Not(Contains("v.mvlt.fit-work")));
}

TEST_F(MvaultFitTest, SaysThatASignedVaultIsReplaced) {
  const std::string note = "v.mvlt is not signed from now on, until 'mvault sign' signs it";
  ProgramRun run = Fit("v.mvlt", {"--lambda", "0.01"});
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.err, Not(HasSubstr(note)));
  ASSERT_EQ(Mvault({"keygen", "--out", models_.File("k")}).exit_code, 0);
  ASSERT_EQ(Mvault({"sign", models_.File("v.mvlt"), "--key", models_.File("k.key")}).exit_code, 0);
  run = Fit("v.mvlt", {"--lambda", "0.01"});
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.err, HasSubstr(note));
}

// Whatever of its files may not survive a power cut, a fit ends as others do.
TEST_F(MvaultFitTest, FoldersThatCannotBeSyncedAreAWarning) {
  const FitFiles files = models_.files();
  const std::vector<std::string> arguments = {"fit",
                                              "--base",
                                              files.base,
                                              "--variants",
                                              models_.File("variants"),
                                              "--lambda",
                                              "0.01",
                                              "--threads",
                                              "1",
                                              "--report",
                                              models_.File("r.html"),
                                              "--json-report",
                                              models_.File("r.json"),
                                              "--export-int8",
                                              models_.File("int8"),
                                              "-o",
                                              models_.File("v.mvlt")};
  FaultyFileSystem disk;
  const ProgramRun good = MvaultOn(disk, arguments);
  ASSERT_EQ(good.exit_code, 0) << good;
  const std::vector<std::string> outputs = {"v.mvlt", "r.html", "r.json", "int8/base.safetensors",
                                            "int8/variants/gamma.safetensors"};
  std::vector<std::string> contents;
  for (const std::string& output : outputs) {
    contents.push_back(models_.folder().Read(output));
    std::filesystem::remove(models_.File(output));
  }
  disk.FailAt(DiskOperation::kSyncDirectory, 1, EIO, /*lasting=*/true);
  const ProgramRun run = MvaultOn(disk, arguments);
  EXPECT_EQ(run.exit_code, 10) << run;
  EXPECT_EQ(run.out, good.out);
  EXPECT_THAT(run.err, AllOf(StartsWith("mvault: warning: "), HasSubstr("is in place and complete"),
                             HasSubstr("; the same of 7 more\n")))
      << "a base, four variants, the vault and two reports";
  for (size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(models_.folder().Read(outputs[i]), contents[i]) << outputs[i];
  EXPECT_THAT(models_.folder().Names(), Not(Contains("v.mvlt.fit-work")));
}

TEST_F(MvaultFitTest, TextNamesEveryVariantAndWhatWasSpent) {
  const ProgramRun run = Fit("v.mvlt", {"--budget", "12000", "--threads", "3"});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, AllOf(HasSubstr("alpha"), HasSubstr("same"), HasSubstr("bytes of 12,000"), HasSubstr("kept")));
  EXPECT_EQ(run.err, "");
}

TEST_F(MvaultFitTest, NotesTellWhatBecameOfSmallTensors) {
  // Four variants of five norms each; those of one are the base's.
  const std::string exact = Notes({"--lambda", "1e-20", "--budget", "1MiB"});
  EXPECT_THAT(exact,
              HasSubstr("Small tensors, 5 of a model: over all variants 20 are exact, 0 have moved, 0 are left"));
  EXPECT_THAT(exact, HasSubstr("0.0 % of their signal is lost"));
  const std::string none = Notes({"--lambda", "1e-20", "--budget", "1MiB", "--no-side-tensors"});
  EXPECT_THAT(
      none,
      HasSubstr("5 of a model, which were not to move: over all variants 5 are exact, 0 have moved, 15 are left"));
  EXPECT_THAT(none, HasSubstr("100.0 % of their signal is lost"));
}

TEST_F(MvaultFitTest, NotesNameTensorsWithoutAllTheirCurvature) {
  const std::vector<std::string> quick = {"--lambda", "1e-2", "--rounds", "1", "--budget", "1MiB"};
  EXPECT_THAT(Notes(quick), AllOf(HasSubstr("No Kronecker factors, the importance alone, for embed ("),
                                  Not(HasSubstr("layers.0.wq (")), Not(HasSubstr("match no tensor"))));
  FloatTensors curvature = models_.curvature();
  for (const char* factor : {".G", ".H"}) {
    curvature[std::string("layers.0.WQ") + factor] = curvature[std::string("layers.0.wq") + factor];
    curvature.erase(std::string("layers.0.wq") + factor);
  }
  models_.Write("curvature.safetensors", curvature);
  EXPECT_THAT(Notes(quick), AllOf(HasSubstr("embed ("), HasSubstr("layers.0.wq ("),
                                  HasSubstr("match no tensor: layers.0.WQ.G, layers.0.WQ.H.")));
  FloatTensors importance = models_.base();
  for (auto& [name, tensor] : importance) std::fill(tensor.values.begin(), tensor.values.end(), 1.0f);
  importance.erase("layers.0.wq");
  importance["layers.0.wk2"] = importance["layers.0.wk"];
  models_.Write("importance.safetensors", importance);
  EXPECT_THAT(Notes(quick), AllOf(HasSubstr("No curvature and no importance for layers.0.wq ("),
                                  HasSubstr("layers.0.WQ.H, layers.0.wk2.")));
}

TEST_F(MvaultFitTest, TensorWeightsMayLieInAFile) {
  const std::vector<std::string> quick = {"--lambda", "1e-2", "--rounds", "1", "--budget", "1MiB"};
  const auto fit = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.end(), quick.begin(), quick.end());
    const ProgramRun run = Fit(name, more);
    EXPECT_EQ(run.exit_code, 0) << run;
    return models_.folder().Read(name);
  };
  const std::string file = models_.File("weights.txt");
  models_.folder().Write("weights.txt", "# a comment\n\nwq=8\r\n layers.1=0.125\n");
  const std::string of_file = fit("file.mvlt", {"--tensor-weights", file});
  EXPECT_TRUE(of_file == fit("options.mvlt", {"--tensor-weight", "wq=8", "--tensor-weight", "layers.1=0.125"}));
  EXPECT_FALSE(of_file == fit("none.mvlt", {}));
  ExpectError(Fit("v.mvlt", {"--tensor-weights", file, "--tensor-weight", "wq=1"}), 3,
              "weights.txt: line 3: 'wq=8': a weight is given twice for 'wq'");
  models_.folder().Write("weights.txt", "\xEF\xBB\xBFwq=8\nlayers.1=0.125");
  EXPECT_TRUE(of_file == fit("marked.mvlt", {"--tensor-weights", file})) << "a byte order mark";
  for (const auto& [line, what] :
       std::vector<std::pair<std::string, std::string>>{{"layers.1=much", "expected TEXT=number"},
                                                        {"wq=4", "a weight is given twice for 'wq'"},
                                                        {"layers.1=0", "a weight must be positive"},
                                                        {"layers.1=inf", "a weight must be positive"}}) {
    models_.folder().Write("weights.txt", "wq=8\n" + line + "\n");
    ExpectError(Fit("v.mvlt", {"--tensor-weights", file}), 3, "weights.txt: line 2: '" + line + "': " + what);
  }
  ExpectError(Fit("v.mvlt", {"--tensor-weights", models_.File("no.txt")}), 7, "no.txt");
}

TEST_F(MvaultFitTest, TheFastProfileIsPartOfWhatFits) {
  constexpr int kBudget = 16000;
  const auto fit = [&](const std::string& name, const std::string& profile) {
    const ProgramRun run = Fit(name, {"--budget", std::to_string(kBudget), "--profile", profile, "--export-int8",
                                      models_.File("int8-" + profile), "--json"});
    EXPECT_EQ(run.exit_code, 0) << run;
    return run.Json();
  };
  const nlohmann::json small = fit("small.mvlt", "small");
  const nlohmann::json fast = fit("fast.mvlt", "fast");
  EXPECT_LE(fast["bytes"], kBudget);
  EXPECT_EQ(small["profile"], "small");
  EXPECT_EQ(fast["profile"], "fast");
  EXPECT_GT(small["other_profile_bytes"], small["bytes"]);
  EXPECT_LT(fast["other_profile_bytes"], fast["bytes"]);
  EXPECT_GT(fast["base_bytes"], small["base_bytes"]);
  EXPECT_LT(fast["density"], small["density"]) << "less is left for the variants";
  ASSERT_EQ(Mvault({"pack", "--base", models_.File("int8-fast/base.safetensors"), "--variants",
                    models_.File("int8-fast/variants"), "--profile", "fast", "-o", models_.File("packed.mvlt")})
                .exit_code,
            0);
  EXPECT_TRUE(models_.folder().Read("packed.mvlt") == models_.folder().Read("fast.mvlt"));
}

TEST_F(MvaultFitTest, CommandLinesThatMakeNoSense) {
  ExpectError(Fit("v.mvlt", {"--group", "64"}), 2, "--group 64");
  ExpectError(Fit("v.mvlt", {"--weight", "alpha"}), 2, "--weight 'alpha': expected NAME=number");
  ExpectError(Fit("v.mvlt", {"--metric", "psychic"}), 2, "psychic");
  ExpectError(Fit("v.mvlt", {"--rounds", "0"}), 2, "--rounds");
  ExpectError(Fit("v.mvlt", {"--weight", "alpha=2", "--weight", "alpha=9"}), 2, "--weight is given twice for 'alpha'");
  ExpectError(Fit("v.mvlt", {"--floor", "beta=2", "--floor", "beta=2"}), 2, "--floor is given twice for 'beta'");
  ExpectError(Fit("v.mvlt", {"--tensor-weight", "w1=2", "--tensor-weight", "w1=3"}), 2,
              "--tensor-weight is given twice for 'w1'");
  ExpectError(Fit("v.mvlt", {"--export-int8", models_.folder().path()}), 2, "would replace files to be read");
  models_.folder().Write("weights.txt", "wq=2\n");
  const std::vector<std::string> weights = {"--tensor-weights", models_.File("weights.txt")};
  for (const char* name : {"base.safetensors", "curvature.safetensors", "importance.safetensors",
                           "variants/alpha.safetensors", "weights.txt"}) {
    const std::string path = models_.File(name);
    const std::string before = models_.folder().Read(name);
    ExpectError(Fit(name, weights), 2, "-o " + path + " is one of the files to be read");
    for (const char* option : {"--report", "--json-report"}) {
      ExpectError(Fit("v.mvlt", {weights[0], weights[1], option, path}), 2,
                  std::string(option) + " " + path + " is one of the files to be read");
    }
    EXPECT_TRUE(models_.folder().Read(name) == before) << name;
  }
  // None of these exist yet.
  ExpectError(Fit("v.mvlt", {"--report", models_.File("variants/../v.mvlt")}), 2, "is the file of -o");
  const std::vector<std::string> exports = {"int8/base.safetensors", "int8/../int8/variants/beta.safetensors"};
  for (const char* when : {"absent", "there"}) {
    SCOPED_TRACE(when);
    for (const std::string& name : exports) {
      const std::string is_exported = name + " is a file of --export-int8 " + models_.File("int8");
      ExpectError(Fit(name, {"--export-int8", models_.File("int8")}), 2, is_exported);
      for (const char* option : {"--report", "--json-report"}) {
        ExpectError(Fit("v.mvlt", {option, models_.File(name), "--export-int8", models_.File("int8")}), 2,
                    std::string(option) + " " + models_.File(is_exported));
      }
    }
    std::filesystem::create_directories(models_.File("int8/variants"));
  }
  std::filesystem::remove_all(models_.File("int8"));
  for (const char* folder : {"new", "new/variants", "new/variants/../"}) {
    ExpectError(Fit("new", {"--export-int8", models_.File(folder)}), 2, "new would be a folder: that of --export-int8");
  }
  ExpectError(Fit("new/variants", {"--export-int8", models_.File("new")}), 2, "would be a folder");
  ExpectError(Fit("v.mvlt", {"--export-int8", models_.File("new"), "--report", models_.File("new")}), 2,
              "--report " + models_.File("new") + " would be a folder");
  ExpectError(Fit("new", {"--work", models_.File("new/work")}), 2, "new would be a folder: that of --work");
  ExpectError(Fit("v.mvlt", {"--json-report", models_.File("v.mvlt")}), 2, "is the file of -o");
  ExpectError(Fit("v.mvlt", {"--report", models_.File("r"), "--json-report", models_.File("r")}), 2,
              "is the file of --report");
  ExpectError(Mvault({"fit", "--base", models_.files().base, "-o", models_.File("v.mvlt")}), 2, "nothing to fit");
  ExpectError(Fit("v.mvlt", {"--floor", "nobody=1"}), 7, "'nobody'");
  ExpectError(Fit("v.mvlt", {"--weight", "gama=2"}), 7, "no variant 'gama' to protect; there is 'gamma'");
}

TEST_F(MvaultFitTest, AnExportNeverLiesBesideOthersVariants) {
  std::filesystem::create_directories(models_.File("int8/variants"));
  models_.folder().Write("int8/variants/old.safetensors", "of another run");
  models_.folder().Write("int8/variants/older.safetensors", "of another run");
  models_.folder().Write("int8/variants/alpha.safetensors", "of a run before");
  const std::vector<std::string> options = {"--budget", "12000", "--export-int8", models_.File("int8")};
  ExpectError(Fit("v.mvlt", options), 8, "old, older;");
  EXPECT_EQ(models_.folder().Read("int8/variants/alpha.safetensors"), "of a run before");
  std::filesystem::remove(models_.File("int8/variants/old.safetensors"));
  std::filesystem::remove(models_.File("int8/variants/older.safetensors"));
  EXPECT_EQ(Fit("v.mvlt", options).exit_code, 0);
  EXPECT_NE(models_.folder().Read("int8/variants/alpha.safetensors"), "of a run before");
}

TEST_F(MvaultFitTest, AnExportNeverTakesTheBasesPlace) {
  std::filesystem::rename(models_.File("variants"), models_.File("tuned"));
  const std::string base = models_.folder().Read("base.safetensors");
  const ProgramRun run =
      Mvault({"fit", "--base", models_.File("base.safetensors"), "--variants", models_.File("tuned"), "--lambda",
              "1e-2", "-o", models_.File("v.mvlt"), "--export-int8", models_.folder().path()});
  ExpectError(run, 2, "would replace files to be read");
  EXPECT_TRUE(models_.folder().Read("base.safetensors") == base);
}

TEST_F(MvaultFitTest, TwoFitsNeverShareAWorkFolder) {
  std::filesystem::create_directory(models_.File("v.mvlt.fit-work"));
  const std::string mark = models_.folder().Write("v.mvlt.fit-work/mvault-fit-work", "");
  {
    const auto lock = FileSystem::Default().Lock(mark);
    ASSERT_TRUE(lock.ok());
    ExpectError(Fit("v.mvlt", {"--lambda", "1e-2", "--rounds", "1"}), 6, "v.mvlt.fit-work is in use by another fit");
  }
  EXPECT_EQ(Fit("v.mvlt", {"--lambda", "1e-2", "--rounds", "1"}).exit_code, 0);
}

TEST_F(MvaultFitTest, ABudgetBelowTheBaseIsNamed) {
  ExpectError(Fit("v.mvlt", {"--budget", "3000"}), 4, "the budget is 3000");
}

TEST_F(MvaultFitTest, BadInputIsNamed) {
  FloatTensors bad = models_.base();
  bad["layers.0.wq"].values[3] = NAN;
  models_.Write("variants/beta.safetensors", bad);
  ExpectError(Fit("v.mvlt"), 3, "layers.0.wq");
  bad = models_.base();
  bad.erase("layers.0.wq");
  models_.Write("variants/beta.safetensors", bad);
  ExpectError(Fit("v.mvlt"), 3, "beta");
}

TEST_F(MvaultFitTest, ASingularCurvatureIsNamed) {
  FloatTensors curvature = models_.curvature();
  for (float& value : curvature["layers.0.wq.G"].values) value = 0;
  models_.Write("curvature.safetensors", curvature);
  ExpectError(Fit("v.mvlt"), 3, "layers.0.wq");
}

}  // namespace
}  // namespace modelvault
