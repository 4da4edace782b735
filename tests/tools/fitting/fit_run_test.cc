#include "tools/fitting/fit_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/tools/packing/model_files.h"
#include "tools/fitting/model_weights.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint64_t kBudget = 12000;

class FitRunTest : public testing::Test {
 protected:
  // Fits into `name`, and keeps in run_ what the fit tells of itself; the vault's bytes.
  absl::StatusOr<std::string> Fit(const std::string& name, const FitRunOptions& options) {
    const absl::StatusOr<FitInput> input =
        FitInput::Open(FileSystem::Default(), files_, options.curvature, options.fit.threads);
    if (!input.ok()) return input.status();
    run_ = RunFit(FileSystem::Default(), *input, models_.File(name), options);
    if (!run_.ok()) return run_.status();
    std::string vault = models_.folder().Read(name);
    if (vault.empty()) return absl::InternalError("there is no vault");
    return vault;
  }

  FitRunOptions Options() const {
    FitRunOptions options;
    options.budget = kBudget;
    options.fit.threads = 1;
    return options;
  }

  FittingFiles models_;
  FitFiles files_ = models_.files();
  absl::StatusOr<FitRun> run_ = absl::UnknownError("not run");
};

TEST_F(FitRunTest, FillsTheBudgetAndIsThePackOfWhatItExports) {
  FitRunOptions options = Options();
  options.export_folder = models_.File("int8");
  ASSERT_OK_AND_ASSIGN(const std::string vault, Fit("v.mvlt", options));
  EXPECT_EQ(vault.size(), run_->vault_size);
  EXPECT_LE(vault.size(), kBudget);
  EXPECT_GE(vault.size(), kBudget * 995 / 1000);
  std::vector<VariantInput> exported;
  for (const VariantInput& v : files_.variants) {
    exported.push_back({v.name, models_.File("int8/variants/" + v.name + ".safetensors")});
  }
  ASSERT_THAT(
      PackVault(FileSystem::Default(), models_.File("int8/base.safetensors"), exported, models_.File("p.mvlt"), {}),
      IsOk());
  EXPECT_TRUE(vault == models_.folder().Read("p.mvlt"));
  ModelFiles files;
  files["base"] = models_.folder().Read("int8/base.safetensors");
  for (const VariantInput& v : exported)
    files[v.name] = models_.folder().Read("int8/variants/" + v.name + ".safetensors");
  EXPECT_THAT(VerifyVault(vault, &files), IsOk());
  // Nothing is left lying about.
  EXPECT_THAT(models_.folder().Names(), testing::Not(testing::Contains(HasSubstr("v.mvlt."))));
}

TEST_F(FitRunTest, EveryShapeAndFloatTypeGoesThroughWithTheMeanAsTheBase) {
  TestRandom random(5);
  const auto tensor = [&](const char* name, const char* dtype, std::vector<uint64_t> shape) {
    FileTensor t{name, dtype, std::move(shape), ""};
    uint64_t count = 1;
    for (const uint64_t dimension : t.shape) count *= dimension;
    for (uint64_t i = 0; i < count; ++i) {
      // From 0.5 to 1 in each of the three.
      const uint32_t mantissa = static_cast<uint32_t>(random.Below(1 << 23));
      const uint32_t bits = t.dtype == "F32"   ? 0x3F000000 | mantissa
                            : t.dtype == "F16" ? 0x3800 | mantissa >> 13
                                               : 0x3F00 | mantissa >> 16;
      for (size_t byte = 0; byte < (t.dtype == "F32" ? 4 : 2); ++byte) {
        t.data.push_back(static_cast<char>(bits >> (8 * byte)));
      }
    }
    return t;
  };
  files_ = {};
  for (const std::string name : {"one", "two", "three"}) {
    FileModel model;
    model.tensors = {tensor("half", "F16", {4, 40}),  tensor("cube", "BF16", {3, 5, 12}),
                     tensor("line", "F32", {1, 150}), tensor("bias", "BF16", {9}),
                     tensor("scalar", "F32", {}),     tensor("nothing", "F16", {0}),
                     tensor("flat", "F32", {0, 7})};
    files_.variants.push_back({name, models_.folder().Write(name + ".safetensors", Serialize(model))});
  }
  FitRunOptions options = Options();
  options.lambda = 1e-5;
  options.export_folder = models_.File("int8");
  ASSERT_OK_AND_ASSIGN(const std::string vault, Fit("v.mvlt", options));
  std::vector<VariantInput> exported;
  for (const VariantInput& v : files_.variants) {
    exported.push_back({v.name, models_.File("int8/variants/" + v.name + ".safetensors")});
    const FittedVariant& fitted = run_->models.variants[exported.size() - 1];
    EXPECT_LT(fitted.remaining(), fitted.signal() / 3);
    for (const VariantTensorFit& t : fitted.tensors) EXPECT_LE(t.remaining, t.signal);
  }
  ASSERT_THAT(
      PackVault(FileSystem::Default(), models_.File("int8/base.safetensors"), exported, models_.File("p.mvlt"), {}),
      IsOk());
  EXPECT_TRUE(vault == models_.folder().Read("p.mvlt"));
  EXPECT_THAT(VerifyVault(FileSystem::Default(), models_.File("v.mvlt")), IsOk());
}

// A model of one matrix and what other programs keep beside it.
FileModel WithBuffers(uint64_t seed, uint8_t steps, bool narrow_mask) {
  TestRandom random(seed);
  FileModel model;
  FileTensor matrix{"matrix", "F32", {16, 32}, ""};
  for (int i = 0; i < 512; ++i) {
    const uint32_t bits = 0x3F000000 | static_cast<uint32_t>(random.Below(1 << 23));
    for (int byte = 0; byte < 4; ++byte) matrix.data.push_back(static_cast<char>(bits >> (8 * byte)));
  }
  std::string positions, table;
  for (int i = 0; i < 512; ++i) {
    positions += std::string{static_cast<char>(i), static_cast<char>(i >> 8)} + std::string(6, '\0');
  }
  for (int i = 0; i < 24; ++i) table.push_back(static_cast<char>(random.Below(256)));
  model.tensors = {matrix,
                   {"batches", "I64", {}, std::string(1, static_cast<char>(steps)) + std::string(7, '\0')},
                   {"positions", "I64", {1, 512}, positions},
                   {"mask", "BOOL", {narrow_mask ? 3u : 4u}, std::string(narrow_mask ? 3 : 4, '\1')},
                   {"table", "F64", {3}, table},
                   {"nothing", "I32", {0, 4}, ""}};
  return model;
}

TEST_F(FitRunTest, BuffersThatAreNoFloatsAreCarriedOver) {
  files_ = {};
  const FileModel base = WithBuffers(1, 7, false);
  files_.base = models_.folder().Write("base.safetensors", Serialize(base));
  std::vector<FileModel> variants;
  for (const uint8_t v : {uint8_t{2}, uint8_t{3}}) {
    variants.push_back(WithBuffers(v, v, false));
    const std::string name = "v" + std::to_string(v);
    files_.variants.push_back({name, models_.folder().Write(name + ".safetensors", Serialize(variants.back()))});
  }
  FitRunOptions options = Options();
  options.lambda = 1e-5;
  options.budget = 1 << 20;
  options.export_folder = models_.File("int8");
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  EXPECT_THAT(VerifyVault(FileSystem::Default(), models_.File("v.mvlt")), IsOk());
  const auto expect_carried = [&](const std::string& path, const FileModel& model) {
    ASSERT_OK_AND_ASSIGN(const ModelWeights read, ReadModelWeights(FileSystem::Default(), models_.File(path)));
    ASSERT_EQ(read.carried.size(), 6u) << "the matrix is I8";
    for (size_t i = 1; i < 6; ++i) {
      const CarriedTensor& tensor = read.carried[i];
      EXPECT_EQ(tensor.info.name, model.tensors[i].name);
      EXPECT_EQ(tensor.info.type_name(), model.tensors[i].dtype);
      EXPECT_EQ(tensor.info.shape, model.tensors[i].shape);
      EXPECT_EQ(std::string(tensor.bytes.begin(), tensor.bytes.end()), model.tensors[i].data);
    }
  };
  expect_carried("int8/base.safetensors", base);
  expect_carried("int8/variants/v2.safetensors", variants[0]);
  expect_carried("int8/variants/v3.safetensors", variants[1]);

  models_.folder().Write("v3.safetensors", Serialize(WithBuffers(3, 3, true)));
  EXPECT_THAT(models_.Open(files_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mask")));
  FileModel other = WithBuffers(3, 3, false);
  other.tensors.erase(other.tensors.begin());
  models_.folder().Write("base.safetensors", Serialize(other));
  EXPECT_THAT(models_.Open(files_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mvault pack stores")));
}

TEST_F(FitRunTest, RowsThatCannotBeKeptAreNamed) {
  FloatTensors base = models_.base();
  FloatTensors beta = base;
  base["layers.0.wq"].values[5 * base["layers.0.wq"].shape[1] + 2] = 1e4f;  // In all models.
  files_.variants.clear();
  models_.Write("base.safetensors", base);
  beta["layers.0.wq"] = base["layers.0.wq"];
  beta["layers.1.wk"].values[3] = 1e4f;
  files_.variants = {{"beta", models_.Write("variants/beta.safetensors", beta)},
                     {"same", models_.Write("variants/same.safetensors", base)}};
  files_.curvature.clear();
  FitRunOptions options = Options();
  options.budget = 60000;
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  ASSERT_EQ(run_->lost_rows.size(), 2u);
  EXPECT_EQ(run_->lost_rows[0].file, files_.base);
  EXPECT_EQ(run_->lost_rows[0].tensor, "layers.0.wq");
  EXPECT_EQ(run_->lost_rows[0].row, 5u);
  EXPECT_NEAR(run_->lost_rows[0].relative_error, 1, 0.01);
  EXPECT_EQ(run_->lost_rows[1].file, files_.variants[0].path);
  EXPECT_EQ(run_->lost_rows[1].tensor, "layers.1.wk");
  EXPECT_EQ(run_->lost_rows[1].row, 0u);
}

TEST_F(FitRunTest, ThreadsDoNotMatter) {
  FitRunOptions options = Options();
  ASSERT_OK_AND_ASSIGN(const std::string one, Fit("v.mvlt", options));
  options.fit.threads = 3;
  EXPECT_THAT(Fit("w.mvlt", options), IsOkAndHolds(one));
}

TEST_F(FitRunTest, AFewOfManyVariantsFindThePrice) {
  files_.variants.clear();
  for (int v = 0; v < 30; ++v) {
    FloatTensors variant = models_.base();
    TestRandom random(static_cast<uint64_t>(v));
    for (float& w : variant["layers.0.w1"].values) w += 0.01f * static_cast<float>(random.Below(9)) - 0.04f;
    const std::string name = "v" + std::to_string(100 + v);
    files_.variants.push_back({name, models_.Write("variants/" + name + ".safetensors", variant)});
  }
  FitRunOptions options = Options();
  options.fit.threads = 2;
  options.fit.rounds = 1;
  options.tolerance = 0.05;
  options.budget = 20000;
  options.curve = {0.8, 1};
  ASSERT_OK_AND_ASSIGN(const std::string vault, Fit("v.mvlt", options));
  EXPECT_LE(vault.size(), options.budget);
  EXPECT_GE(vault.size(), options.budget * 95 / 100);
  EXPECT_EQ(run_->models.variants.size(), 30u);
  EXPECT_GT(run_->trials, 0);
  ASSERT_EQ(run_->curve.size(), 2u);
  EXPECT_GT(run_->curve[0].remaining, run_->curve[1].remaining);
}

TEST_F(FitRunTest, ARunThatWasKilledGoesOnToTheSameBytes) {
  FitRunOptions options = Options();
  options.work_folder = models_.File("work");
  options.keep_work_folder = true;
  ASSERT_OK_AND_ASSIGN(const std::string whole, Fit("v.mvlt", options));
  // As a kill leaves it: some results missing, one of them torn.
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(models_.File("work"))) {
    if (entry.path().extension() != ".fitted") continue;
    if (files % 3 == 0) std::filesystem::remove(entry.path());
    if (files % 3 == 1) std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) - 1);
    ++files;
  }
  EXPECT_GE(files, 12u);
  std::filesystem::create_directories(models_.File("work/scratch/variants"));
  models_.folder().Write("work/scratch/variants/beta.safetensors", "torn");
  models_.folder().Write("work/scratch/vault", "torn");
  options.keep_work_folder = false;
  EXPECT_THAT(Fit("w.mvlt", options), IsOkAndHolds(whole));
  EXPECT_FALSE(std::filesystem::exists(models_.File("work")));
}

TEST_F(FitRunTest, ResultsOfOtherInputAreNotTaken) {
  FitRunOptions options = Options();
  options.lambda = 1e-4;
  options.budget = 1 << 20;
  options.work_folder = models_.File("work");
  options.keep_work_folder = true;
  ASSERT_OK_AND_ASSIGN(const std::string first, Fit("v.mvlt", options));
  FloatTensors other = models_.base();
  for (float& w : other["layers.0.wq"].values) w += 0.3f;
  models_.Write("variants/beta.safetensors", other);
  ASSERT_OK_AND_ASSIGN(const std::string kept, Fit("w.mvlt", options));
  options.work_folder.clear();
  EXPECT_THAT(Fit("x.mvlt", options), IsOkAndHolds(kept));
  EXPECT_FALSE(first == kept);
}

TEST_F(FitRunTest, FoldersOfOthersAreNeverEmptied) {
  FitRunOptions options = Options();
  options.lambda = 1e-2;
  options.budget = 1 << 20;
  options.fit.rounds = 1;
  for (const char* name : {"v.mvlt.int8", "v.mvlt.fit-work", "empty", "mine"}) {
    std::filesystem::create_directory(models_.File(name));
  }
  models_.folder().Write("v.mvlt.int8/base.safetensors", "mine");
  EXPECT_THAT(Fit("v.mvlt", options), IsOk()) << "an empty work folder is as good as none";
  EXPECT_EQ(models_.folder().Read("v.mvlt.int8/base.safetensors"), "mine");

  std::filesystem::create_directory(models_.File("v.mvlt.fit-work"));
  const std::vector<std::string> mine = {"v.mvlt.fit-work/notes.tmp", "mine/00.fitted"};
  for (const std::string& name : mine) models_.folder().Write(name, "mine");
  const std::string before = models_.folder().Read("v.mvlt");
  EXPECT_THAT(Fit("v.mvlt", options),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("v.mvlt.fit-work has files")));
  options.work_folder = models_.File("mine");
  EXPECT_THAT(Fit("v.mvlt", options), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("mine has files")));
  EXPECT_TRUE(models_.folder().Read("v.mvlt") == before);
  for (const std::string& name : mine) EXPECT_EQ(models_.folder().Read(name), "mine");

  // What a user put into one of ours stays, too.
  options.work_folder = models_.File("empty");
  options.keep_work_folder = true;
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  models_.folder().Write("empty/notes.tmp", "mine");
  options.keep_work_folder = false;
  for (const char* when : {"first", "again"}) {
    ASSERT_THAT(Fit("v.mvlt", options), IsOk()) << when;
    EXPECT_EQ(models_.folder().Read("empty/notes.tmp"), "mine");
  }
}

TEST_F(FitRunTest, AWorkFolderOnAnotherFileSystemGivesTheSameVault) {
  FitRunOptions options = Options();
  options.lambda = 1e-2;
  options.budget = 1 << 20;
  options.fit.rounds = 1;
  struct Folder {
    ~Folder() {
      std::error_code ignored;
      if (made) std::filesystem::remove_all(path, ignored);
    }
    std::string path = "/dev/shm/modelvault-fit-XXXXXX";
    const bool made = mkdtemp(path.data()) != nullptr;
  } there;
  if (!there.made) GTEST_SKIP() << "there is no memory file system";
  struct stat there_info, here_info;
  ASSERT_EQ(stat(there.path.c_str(), &there_info), 0);
  ASSERT_EQ(stat(models_.folder().path().c_str(), &here_info), 0);
  if (there_info.st_dev == here_info.st_dev) GTEST_SKIP() << "tests run on the memory file system";
  ASSERT_OK_AND_ASSIGN(const std::string here, Fit("v.mvlt", options));
  options.work_folder = there.path + "/work";
  models_.folder().Write("old.mvlt", "an output that is there already");
  for (const char* name : {"w.mvlt", "old.mvlt"}) {
    EXPECT_THAT(Fit(name, options), IsOkAndHolds(here)) << name;
    EXPECT_THAT(run_, IsOk());
    EXPECT_TRUE(std::filesystem::is_empty(there.path));
  }
}

TEST_F(FitRunTest, MoreRoomLosesLess) {
  FitRunOptions options = Options();
  options.curve = {0.9, 1, 1.2};
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  ASSERT_EQ(run_->curve.size(), 3u);
  EXPECT_GT(run_->curve[0].remaining, run_->curve[1].remaining);
  EXPECT_GT(run_->curve[1].remaining, run_->curve[2].remaining);
  EXPECT_LT(run_->curve[0].density, run_->curve[2].density);
}

TEST_F(FitRunTest, MoreBudgetNeverLosesMuchMore) {
  double last = HUGE_VAL;
  std::vector<bool> saturated;
  for (const uint64_t budget : {12000, 18000, 100000}) {
    SCOPED_TRACE(budget);
    FitRunOptions options = Options();
    options.budget = budget;
    ASSERT_THAT(Fit("v.mvlt", options), IsOk());
    double loss = 0;
    for (const FittedVariant& variant : run_->models.variants) loss += variant.remaining();
    EXPECT_LT(loss, 1.03 * last);  // Saturated ones find no better than nearly the same.
    last = std::min(last, loss);
    saturated.push_back(run_->saturated);
  }
  EXPECT_THAT(saturated, testing::ElementsAre(false, testing::_, true));
}

TEST_F(FitRunTest, AVariantThatIsTheBaseTakesNextToNothing) {
  ASSERT_THAT(Fit("v.mvlt", Options()), IsOk());
  EXPECT_LT(run_->stored_sizes[3] * 3, run_->stored_sizes[0]);
  files_.variants.erase(files_.variants.begin(), files_.variants.begin() + 3);
  FitRunOptions options = Options();
  options.budget = 1 << 20;
  EXPECT_THAT(Fit("same.mvlt", options), IsOk()) << "a budget that nothing can fill";
}

TEST_F(FitRunTest, ABudgetBelowTheBaseIsRefusedAndLeavesTheOutput) {
  models_.folder().Write("v.mvlt", "as before");
  FitRunOptions options = Options();
  options.budget = 3000;
  EXPECT_THAT(Fit("v.mvlt", options),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("the base and the least of 4 variants take ")));
  options.lambda = 1e-12;
  options.budget = 9000;
  EXPECT_THAT(Fit("v.mvlt", options),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("at 1e-12 a bit (--lambda) the base and 4 variants take "),
                             HasSubstr("the budget is 9000"), Not(HasSubstr("least")))));
  EXPECT_EQ(models_.folder().Read("v.mvlt"), "as before");
}

TEST_F(FitRunTest, WeightsAndFloorsProtect) {
  FitRunOptions options = Options();
  options.lambda = 1e-2;
  options.budget = 1 << 20;
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  const double plain = run_->models.variants[0].remaining();
  const double other = run_->models.variants[1].remaining();
  FitRunOptions protect = options;
  protect.fit.weights["alpha"] = 10;
  protect.fit.floors["beta"] = 0.8 * other;
  ASSERT_THAT(Fit("w.mvlt", protect), IsOk());
  EXPECT_LT(run_->models.variants[0].remaining(), plain);
  EXPECT_LE(run_->models.variants[1].remaining(), 0.8 * other);
  protect.fit.floors["beta"] = 1e-30;
  EXPECT_THAT(Fit("w.mvlt", protect), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("'beta'")));
  protect = options;
  protect.fit.weights["nobody"] = 2;
  EXPECT_THAT(Fit("w.mvlt", protect), StatusIs(absl::StatusCode::kNotFound, HasSubstr("'nobody'")));
}

TEST_F(FitRunTest, FloorsHoldWithoutTensorWeights) {
  FitRunOptions options = Options();
  options.lambda = 1e-2;
  options.budget = 1 << 20;
  options.fit.rounds = 1;
  options.fit.model.grid = GridRule::kRowRange;  // The same base with weights and without.
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  const double floor = 1.2 * run_->models.variants[1].remaining();
  options.curvature.tensor_weights = {{"layers", 0.5}};
  ASSERT_OK_AND_ASSIGN(const FitInput input, FitInput::Open(FileSystem::Default(), files_, options.curvature, 1));
  ASSERT_THAT(Fit("w.mvlt", options), IsOk());
  ASSERT_GT(UnweightedRemaining(run_->models.variants[1], input.tensors()), floor) << "the floor has nothing to do";
  options.fit.floors["beta"] = floor;
  ASSERT_THAT(Fit("w.mvlt", options), IsOk());
  const FittedVariant& beta = run_->models.variants[1];
  EXPECT_LE(UnweightedRemaining(beta, input.tensors()), floor);
  EXPECT_LT(beta.remaining(), floor) << "weights count in all else";
}

TEST_F(FitRunTest, LessIsKnownMoreIsLost) {
  // Everything judged by the full curvature: fits that knew less of it leave more, at the same bytes. The base's grid
  // is the same for both.
  FitRunOptions options = Options();
  options.fit.model.grid = GridRule::kRowRange;
  options.fit.model.grid_factor = 3;
  ASSERT_THAT(Fit("v.mvlt", options), IsOk());
  const FitRun full = *run_;
  ASSERT_OK_AND_ASSIGN(const FitInput input, models_.Open(files_));
  options.curvature.magnitude = true;
  ASSERT_THAT(Fit("w.mvlt", options), IsOk());
  const auto loss = [&](const FitRun& run) {
    double sum = 0;
    for (size_t v = 0; v < 3; ++v) {
      const auto weights = input.ReadVariant(v).value();
      for (size_t t = 0; t < input.tensors().size(); ++t) {
        const FitTensor& tensor = input.tensors()[t];
        if (!tensor.linear) continue;
        std::vector<float> error = weights[t];
        const FittedTensor& base = run.models.base[t];
        const VariantTensorFit& fit = run.models.variants[v].tensors[t];
        for (size_t i = 0; i < error.size(); ++i) {
          const int change = fit.changes.empty() ? 0 : fit.changes[i];
          error[i] -= base.steps[i / tensor.cols()] * static_cast<float>(base.values[i] + change);
        }
        const std::vector<float> product = tensor.curvature.Product(error);
        for (size_t i = 0; i < error.size(); ++i)
          sum += static_cast<double>(error[i]) * static_cast<double>(product[i]);
      }
    }
    return sum;
  };
  EXPECT_LT(loss(full), loss(*run_));
}

}  // namespace
}  // namespace modelvault
