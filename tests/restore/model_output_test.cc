// What a failing disk or a cut of the power leaves of a model of several files that is restored: the whole folder or
// none, and of a failure nothing else.
#include "restore/model_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "vault/file_paths.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using FilesByPath = std::map<std::string, std::string>;

class ModelOutputTest : public testing::Test {
 protected:
  ModelOutputTest() {
    temp_.Write("other", "stays");
    std::filesystem::create_directory(temp_.File("old"));
    temp_.Write("old/model.onnx", "old");
  }

  // Restores the model as `name`, in pieces that cross files.
  absl::Status Write(FileSystem& files, const std::string& name) {
    std::vector<FilePart> parts;
    std::string bytes;
    for (const auto& [path, contents] : model_) {
      parts.push_back({path, contents.size()});
      bytes += contents;
    }
    absl::StatusOr<ModelOutput> output = ModelOutput::Create(files, temp_.File(name), parts);
    if (!output.ok()) return output.status();
    constexpr size_t kPiece = 30'000;
    for (size_t at = 0; at < bytes.size(); at += kPiece) {
      const std::string piece = bytes.substr(at, kPiece);
      const absl::Status status = output->Append({reinterpret_cast<const uint8_t*>(piece.data()), piece.size()});
      if (!status.ok()) return status;
    }
    return output->Commit();
  }

  // All files below the folder `name`; empty as well if there is no such folder.
  FilesByPath Found(const std::string& name) const {
    FilesByPath files;
    if (!std::filesystem::exists(temp_.File(name))) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temp_.File(name))) {
      if (!entry.is_regular_file()) continue;
      const std::string path = std::filesystem::relative(entry.path(), temp_.File(name));
      files[path] = temp_.Read(name + "/" + path);
    }
    return files;
  }

  // Puts everything back to before the first restore; with `empty` there is an empty folder "new".
  void Restart(bool empty) {
    for (const std::string& name : temp_.Names()) {
      if (name != "old" && name != "other") std::filesystem::remove_all(temp_.File(name));
    }
    if (empty) std::filesystem::create_directory(temp_.File("new"));
  }
  void ExpectNothingChanged(bool empty) {
    EXPECT_TRUE(Found("new").empty());
    EXPECT_THAT(Found("old"), FilesByPath({{"model.onnx", "old"}}));
    if (empty) {
      EXPECT_THAT(temp_.Names(), ElementsAre("new", "old", "other"));
    } else {
      EXPECT_THAT(temp_.Names(), ElementsAre("old", "other"));
    }
  }
  // How many operations it takes.
  int Measure(bool empty) {
    Restart(empty);
    FaultyFileSystem disk;
    EXPECT_THAT(Write(disk, "new"), IsOk());
    EXPECT_TRUE(Found("new") == model_);
    EXPECT_THAT(temp_.Names(), ElementsAre("new", "old", "other"));
    EXPECT_GT(disk.count(), 30);
    return disk.count();
  }

  TempFolder temp_;
  const FilesByPath model_ = {{"a.bin", std::string(1'000, 'a')},
                              {"data/deep/w.bin", std::string(70'000, 'w')},
                              {"data/empty.bin", ""},
                              {"model.onnx", "a graph"}};
};

TEST_F(ModelOutputTest, AFailingOperationLeavesTheWholeFolderOrNone) {
  for (const bool empty : {false, true}) {
    const int count = Measure(empty);
    for (const int error : {EIO, ENOSPC}) {
      for (int n = 1; n <= count; ++n) {
        SCOPED_TRACE(absl::StrCat("errno ", error, " at operation ", n, " of ", count));
        Restart(empty);
        FaultyFileSystem disk;
        disk.FailAt(n, error);
        const absl::Status status = Write(disk, "new");
        ASSERT_TRUE(disk.hit().has_value());
        if (n == count) {  // The folder that the new one is in is synced.
          EXPECT_THAT(status, StatusIs(StatusCode::kUnknown, HasSubstr("in place and complete")));
          EXPECT_TRUE(Found("new") == model_);
          continue;
        }
        EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, HasSubstr(temp_.File(""))));
        ExpectNothingChanged(empty);
      }
    }
  }
}

TEST_F(ModelOutputTest, AFullDiskLeavesNothing) {
  FaultyFileSystem good;
  ASSERT_THAT(Write(good, "new"), IsOk());
  for (const DiskOperation operation : {DiskOperation::kCreate, DiskOperation::kWrite, DiskOperation::kSync}) {
    ASSERT_GE(good.count(operation), 4);
    for (int n = 1; n <= good.count(operation); ++n) {
      Restart(false);
      FaultyFileSystem disk;
      disk.FailAt(operation, n, ENOSPC, /*lasting=*/true);
      EXPECT_THAT(Write(disk, "new"), StatusIs(StatusCode::kUnavailable, HasSubstr("No space left"))) << n;
      ExpectNothingChanged(false);
    }
  }
}

TEST_F(ModelOutputTest, ShortWritesChangeNothing) {
  Restart(false);
  FaultyFileSystem disk;
  disk.ShortenAt(DiskOperation::kWrite, 1, /*lasting=*/true);
  EXPECT_THAT(Write(disk, "new"), IsOk());
  EXPECT_TRUE(Found("new") == model_);
}

TEST_F(ModelOutputTest, ACutOfThePowerLeavesTheWholeFolderOrNone) {
  for (const bool empty : {false, true}) {
    const int count = Measure(empty);
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat("power cut at operation ", n, " of ", count));
      Restart(empty);
      FaultyFileSystem disk;
      disk.PowerCutAt(n);
      EXPECT_FALSE(Write(disk, "new").ok());
      EXPECT_TRUE(Found("new") == (n == count ? model_ : FilesByPath()));
      EXPECT_THAT(Found("old"), FilesByPath({{"model.onnx", "old"}}));
      // What is left of the temporary folder is in nobody's way.
      if (n == count) continue;
      disk.Repair();
      EXPECT_THAT(Write(disk, "new"), IsOk());
      EXPECT_TRUE(Found("new") == model_);
    }
  }
}

TEST_F(ModelOutputTest, AFolderThatIsThereStaysWhole) {
  FaultyFileSystem disk;
  EXPECT_THAT(Write(disk, "old"), StatusIs(StatusCode::kAlreadyExists, HasSubstr("old: is there already")));
  EXPECT_THAT(Write(disk, "other"), StatusIs(StatusCode::kAlreadyExists));
  ExpectNothingChanged(false);
  // Somebody makes it while the model is written, whatever fails afterwards.
  class LateCalls : public FaultyCalls {
   public:
    int Rename(const std::string& from, const std::string& to) override {
      if (to == late) {
        std::filesystem::create_directory(late);
        std::filesystem::copy_file(FolderOf(late) + "/old/model.onnx", late + "/model.onnx");
      }
      return FaultyCalls::Rename(from, to);
    }
    std::string late;
  };
  LateCalls calls;
  calls.late = temp_.File("new");
  FileSystem files(calls);
  EXPECT_THAT(Write(files, "new"), StatusIs(StatusCode::kAlreadyExists, HasSubstr("new: is there already")));
  EXPECT_THAT(Found("new"), FilesByPath({{"model.onnx", "old"}}));
  EXPECT_THAT(temp_.Names(), ElementsAre("new", "old", "other"));
}

// A disk that tells what it would lose if the power were cut now: the bytes of files and the names in folders.
class UnsyncedCalls : public SystemCalls {
 public:
  int Open(const std::string& path, int flags, mode_t mode) override {
    const int fd = SystemCalls::Open(path, flags, mode);
    if (fd >= 0 && (flags & O_CREAT) != 0) {
      lost_.insert(FolderOf(path));
      names_[fd] = path;
    }
    return fd;
  }
  ssize_t WriteAt(int fd, const void* data, size_t size, off_t offset) override {
    lost_.insert(names_[fd]);
    return SystemCalls::WriteAt(fd, data, size, offset);
  }
  int Sync(int fd) override {
    lost_.erase(names_[fd]);
    return SystemCalls::Sync(fd);
  }
  int MakeDirectory(const std::string& path, mode_t mode) override {
    lost_.insert(FolderOf(path));
    return SystemCalls::MakeDirectory(path, mode);
  }
  int SyncDirectory(const std::string& path) override {
    lost_.erase(path);
    return SystemCalls::SyncDirectory(path);
  }
  int Rename(const std::string& from, const std::string& to) override {
    if (std::filesystem::is_directory(from)) {
      // Of what is above it, nothing was made but the folder itself.
      lost_.erase(FolderOf(from));
      lost_at_placing = lost_;
      ++placed;
    }
    lost_.insert(FolderOf(to));
    return SystemCalls::Rename(from, to);
  }

  std::set<std::string> lost_at_placing;
  int placed = 0;
  const std::set<std::string>& lost() const { return lost_; }

 private:
  std::map<int, std::string> names_;  // Of descriptors.
  std::set<std::string> lost_;
};

TEST_F(ModelOutputTest, AllOfItIsOnTheDiskBeforeItGetsItsName) {
  UnsyncedCalls calls;
  FileSystem files(calls);
  ASSERT_THAT(Write(files, "new"), IsOk());
  EXPECT_TRUE(Found("new") == model_);
  EXPECT_EQ(calls.placed, 1);
  EXPECT_THAT(calls.lost_at_placing, IsEmpty());
  EXPECT_THAT(calls.lost(), IsEmpty()) << "and its name afterwards";
}

}  // namespace
}  // namespace modelvault
