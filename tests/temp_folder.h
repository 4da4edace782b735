#ifndef MODELVAULT_TESTS_TEMP_FOLDER_H_
#define MODELVAULT_TESTS_TEMP_FOLDER_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace modelvault {

// An empty folder of the test's own, removed with all that is in it.
class TempFolder {
 public:
  TempFolder() : path_(testing::TempDir() + "/modelvault-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

  // The names in the folder, sorted.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(File(name), std::ios::binary) << bytes;
    return File(name);
  }

  // A file's bytes. The test fails if there is no such file: two that are missing are not the same.
  std::string Read(const std::string& name) const {
    std::ifstream in(File(name), std::ios::binary);
    EXPECT_TRUE(in.good()) << "there is no " << File(name);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  // The same, but empty if there is no such file.
  std::string ReadIfThere(const std::string& name) const {
    return std::filesystem::exists(File(name)) ? Read(name) : "";
  }

 private:
  std::string path_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TEMP_FOLDER_H_
