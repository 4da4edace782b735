#include "tools/demo/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/demo/small_demo.h"
#include "tests/vault/faulty_file_system.h"
#include "tools/demo/network_file.h"
#include "tools/formats/model_formats.h"

namespace modelvault::demo {
namespace {

using testing::HasSubstr;

// All files below a folder, by path.
std::map<std::string, std::string> Files(const TempFolder& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    const std::string name = std::filesystem::relative(entry.path(), folder.path());
    files[name] = folder.Read(name);
  }
  return files;
}

// A tensor's bytes, read by its header's offsets.
std::string TensorBytes(const ModelFile& file, const ModelTensor& tensor) {
  std::string bytes(tensor.size(), '\0');
  EXPECT_THAT(file.ReadData(tensor.begin, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}), IsOk());
  return bytes;
}

class PipelineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    const absl::StatusOr<TrainingRecord> record =
        TrainDemo(FileSystem::Default(), SmallDemo(), folder_->path(), nullptr);
    ASSERT_THAT(record, IsOk());
    record_ = new TrainingRecord(*record);
  }
  static void TearDownTestSuite() {
    delete record_;
    delete folder_;
    record_ = nullptr;
    folder_ = nullptr;
  }
  void SetUp() override { ASSERT_NE(record_, nullptr); }

  static std::string VariantPath(const std::string& name) {
    return folder_->File(absl::StrCat("variants/", name, ".safetensors"));
  }

  static TempFolder* folder_;
  static TrainingRecord* record_;
};
TempFolder* PipelineTest::folder_ = nullptr;
TrainingRecord* PipelineTest::record_ = nullptr;

TEST_F(PipelineTest, NumberOfThreadsDoesNotChangeAByte) {
  const std::map<std::string, std::string> expected = Files(*folder_);
  // The base, its curvature, its description, the record of the training; and the departments.
  EXPECT_EQ(expected.size(), 4 + SmallDemo().task.departments);
  for (const size_t threads : {2, 5}) {
    SCOPED_TRACE(threads);
    const TempFolder other;
    DemoOptions options = SmallDemo();
    options.threads = threads;
    ASSERT_THAT(TrainDemo(FileSystem::Default(), options, other.path(), nullptr), IsOk());
    EXPECT_EQ(Files(other), expected);
  }
}

TEST_F(PipelineTest, AnotherSeedGivesOtherModels) {
  const TempFolder other;
  DemoOptions options = SmallDemo();
  options.task.seed += 1;
  ASSERT_THAT(TrainDemo(FileSystem::Default(), options, other.path(), nullptr), IsOk());
  EXPECT_NE(other.Read("base.safetensors"), folder_->Read("base.safetensors"));
}

// On the files themselves, without the demo's own types.
TEST_F(PipelineTest, VariantsHaveTheBasesTensorsAndTheCurvatureFitsThem) {
  ASSERT_OK_AND_ASSIGN(const ModelFile base, OpenModelFile(FileSystem::Default(), folder_->File("base.safetensors")));
  for (const DepartmentResult& department : record_->departments) {
    SCOPED_TRACE(department.name);
    ASSERT_OK_AND_ASSIGN(const ModelFile variant, OpenModelFile(FileSystem::Default(), VariantPath(department.name)));
    const std::string bytes = folder_->Read(absl::StrCat("variants/", department.name, ".safetensors"));
    EXPECT_THAT(bytes, HasSubstr(R"("role":"variant")"));
    EXPECT_THAT(bytes, HasSubstr(absl::StrCat(R"("department":")", department.name, "\"")));
    ASSERT_EQ(variant.tensors(), base.tensors());
    for (const ModelTensor& tensor : base.tensors()) {
      // Fine-tuning leaves the biases.
      EXPECT_EQ(TensorBytes(variant, tensor) == TensorBytes(base, tensor), tensor.shape.size() == 1) << tensor.name;
    }
  }
  ASSERT_OK_AND_ASSIGN(const ModelFile curvature,
                       OpenModelFile(FileSystem::Default(), folder_->File("curvature.safetensors")));
  std::map<std::string, std::vector<uint64_t>> shapes;
  for (const ModelTensor& tensor : curvature.tensors()) shapes[tensor.name] = tensor.shape;
  std::map<std::string, std::vector<uint64_t>> expected;
  for (const ModelTensor& tensor : base.tensors()) {
    if (tensor.shape.size() != 2) continue;
    expected[tensor.name + ".G"] = {tensor.shape[0], tensor.shape[0]};
    expected[tensor.name + ".H"] = {tensor.shape[1], tensor.shape[1]};
  }
  EXPECT_EQ(shapes, expected);
}

TEST_F(PipelineTest, DepartmentsDifferAndFineTuningHelps) {
  const auto mean = [&](double DepartmentResult::*figure) { return Summarize(*record_, figure).mean; };
  const double base = mean(&DepartmentResult::base_top1);
  EXPECT_GT(base, 1.5 / static_cast<double>(record_->task.classes));
  EXPECT_GT(mean(&DepartmentResult::finetune_top1), base + 0.1);
  EXPECT_LT(mean(&DepartmentResult::other_department_top1), base);
}

TEST_F(PipelineTest, FilesScoreExactlyWhatTheRecordSays) {
  ASSERT_OK_AND_ASSIGN(const TrainingRecord record, ReadRecord(FileSystem::Default(), folder_->path()));
  EXPECT_EQ(RecordToJson(record), RecordToJson(*record_));
  ASSERT_OK_AND_ASSIGN(const Network base, ReadNetwork(FileSystem::Default(), folder_->File("base.safetensors")));
  const auto samples = static_cast<double>(record.heldout_samples);
  for (size_t d = 0; d < record.departments.size(); ++d) {
    SCOPED_TRACE(record.departments[d].name);
    ASSERT_OK_AND_ASSIGN(const Network variant,
                         ReadNetwork(FileSystem::Default(), VariantPath(record.departments[d].name)));
    const size_t next = (d + 1) % record.departments.size();
    EXPECT_THAT(CountHeldOutCorrect(record, variant, d),
                IsOkAndHolds(std::lround(record.departments[d].finetune_top1 * samples)));
    EXPECT_THAT(CountHeldOutCorrect(record, variant, next),
                IsOkAndHolds(std::lround(record.departments[d].other_department_top1 * samples)));
    EXPECT_THAT(CountHeldOutCorrect(record, base, d),
                IsOkAndHolds(std::lround(record.departments[d].base_top1 * samples)));
    EXPECT_EQ(folder_->Read(absl::StrCat("variants/", record.departments[d].name, ".safetensors")).size(),
              record.departments[d].file_size);
  }
}

TEST_F(PipelineTest, ModelsOfAFolderAreScored) {
  ASSERT_OK_AND_ASSIGN(const std::vector<double> scores,
                       ScoreModels(FileSystem::Default(), *record_, folder_->File("variants"), /*threads=*/2));
  ASSERT_EQ(scores.size(), record_->departments.size());
  for (size_t d = 0; d < scores.size(); ++d) EXPECT_EQ(scores[d], record_->departments[d].finetune_top1);
  EXPECT_THAT(ScoreModels(FileSystem::Default(), *record_, folder_->path(), /*threads=*/1),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(record_->departments[0].name)));
}

TEST_F(PipelineTest, AModelOfAnotherTaskIsAnError) {
  const size_t inputs = record_->task.inputs;
  const size_t classes = record_->task.classes;
  EXPECT_THAT(CountHeldOutCorrect(*record_, ZeroNetwork({inputs, classes}), 0), IsOk());
  EXPECT_THAT(CountHeldOutCorrect(*record_, ZeroNetwork({inputs + 1, classes}), 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes 22 inputs and gives 5 classes")));
  EXPECT_THAT(CountHeldOutCorrect(*record_, ZeroNetwork({inputs, classes - 1}), 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes 21 inputs and gives 4 classes")));
}

TEST_F(PipelineTest, RefusesAFolderThatHoldsVariantsAndLeavesIt) {
  const std::map<std::string, std::string> before = Files(*folder_);
  EXPECT_THAT(TrainDemo(FileSystem::Default(), SmallDemo(), folder_->path(), nullptr),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("variants: not empty")));
  EXPECT_EQ(Files(*folder_), before);
}

TEST_F(PipelineTest, ProgressReachesTheEndOfEachStage) {
  const TempFolder folder;
  DemoOptions options = SmallDemo();
  options.base.steps = 3;
  options.fine_tuning.steps = 1;
  options.threads = 2;
  std::map<std::string, std::pair<size_t, size_t>> last;
  ASSERT_THAT(TrainDemo(FileSystem::Default(), options, folder.path(),
                        [&](absl::string_view stage, uint64_t done, uint64_t total) {
                          last[std::string(stage)] = {done, total};
                        }),
              IsOk());
  EXPECT_THAT(last, testing::ElementsAre(testing::Pair(HasSubstr("base"), testing::Pair(3, 3)),
                                         testing::Pair(HasSubstr("departments"), testing::Pair(4, 4))));
}

TEST(PipelineErrorTest, RefusesDepartmentsThereAreNoNamesFor) {
  const TempFolder folder;
  for (const size_t departments : {0, 101}) {
    DemoOptions options = SmallDemo();
    options.task.departments = departments;
    EXPECT_THAT(TrainDemo(FileSystem::Default(), options, folder.path(), nullptr),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat(departments, " departments"))));
  }
  EXPECT_THAT(folder.Names(), testing::IsEmpty());
}

TEST(PipelineErrorTest, AFolderThatCannotBeMadeIsUnavailable) {
  const TempFolder folder;
  folder.Write("file", "");
  EXPECT_THAT(TrainDemo(FileSystem::Default(), SmallDemo(), folder.File("file"), nullptr),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("file/variants")));
}

TEST(PipelineErrorTest, AFullDiskIsReportedAndLeavesNoRecord) {
  DemoOptions options = SmallDemo();
  options.base.steps = 1;
  options.fine_tuning.steps = 1;
  FaultyFileSystem disk;
  {
    const TempFolder folder;
    ASSERT_THAT(TrainDemo(disk, options, folder.path(), nullptr), IsOk());
  }
  const int writes = disk.count(DiskOperation::kWrite);
  ASSERT_GE(writes, 7);  // base, curvature, four departments, record
  for (int n = 1; n <= writes; ++n) {
    SCOPED_TRACE(absl::StrCat("write ", n, " of ", writes));
    const TempFolder folder;
    disk.FailAt(DiskOperation::kWrite, n, ENOSPC);
    EXPECT_THAT(TrainDemo(disk, options, folder.path(), nullptr), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_FALSE(std::filesystem::exists(folder.File("demo.json")));
  }
}

TEST(PipelineErrorTest, ARecordThatIsMissingOrTooLargeIsAnError) {
  const TempFolder folder;
  EXPECT_THAT(ReadRecord(FileSystem::Default(), folder.path()), StatusIs(absl::StatusCode::kNotFound));
  folder.Write("demo.json", std::string((1 << 20) + 1, ' '));
  EXPECT_THAT(ReadRecord(FileSystem::Default(), folder.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1048577 bytes")));
}

}  // namespace
}  // namespace modelvault::demo
