#include "tools/fitting/work_folder.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "vault/model_digester.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

constexpr char kExtension[] = ".fitted";
constexpr char kTempExtension[] = ".tmp";
constexpr char kMark[] = "mvault-fit-work";  // An empty file.
// Another run may remove the folder while it is opened; more often than this in a row it does not.
constexpr int kOpenAttempts = 10;

absl::string_view TextOf(const WorkFolder::Key& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

absl::Span<const uint8_t> BytesOf(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Whether it is a name that Store gives: KEY.fitted or KEY.fitted.NUMBER.tmp.
bool IsOurs(absl::string_view name) {
  constexpr size_t kDigits = 2 * sizeof(WorkFolder::Key);
  const absl::string_view key = name.substr(0, kDigits);
  if (key.size() < kDigits || key.find_first_not_of("0123456789abcdef") != absl::string_view::npos) return false;
  name.remove_prefix(kDigits);
  if (!absl::ConsumePrefix(&name, kExtension)) return false;
  if (name.empty()) return true;
  return absl::ConsumePrefix(&name, ".") && absl::ConsumeSuffix(&name, kTempExtension) && !name.empty() &&
         name.find_first_not_of("0123456789") == absl::string_view::npos;
}

// Makes the folder and its mark unless they are there. kNotFound if another run removed the folder meanwhile.
absl::Status MakeMarked(const std::string& path, const fs::path& mark) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::exists(mark, error) && !error) {
    // Of a run that was killed before it made the mark, an empty folder is left.
    const bool empty = fs::is_empty(path, error);
    if (error == std::errc::no_such_file_or_directory) return absl::NotFoundError(path);
    // Looked for once more: another run may just have made it.
    if (!error && !empty && !fs::exists(mark, error) && !error) {
      return absl::AlreadyExistsError(
          absl::StrCat(path, " has files, but not of an interrupted fit; remove it or name another work folder"));
    }
    if (!error && !std::ofstream(mark)) {
      if (!fs::exists(path, error) && !error) return absl::NotFoundError(path);
      error = std::make_error_code(std::errc::io_error);
    }
  }
  if (error) return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
  return absl::OkStatus();
}

}  // namespace

WorkFolder::Key KeyOf(absl::string_view bytes) {
  ModelDigester digester;
  digester.Update(BytesOf(bytes));
  return digester.Digests().xxh3;
}

absl::StatusOr<WorkFolder> WorkFolder::Open(FileSystem& file_system, std::string path) {
  const fs::path mark = fs::path(path) / kMark;
  for (int attempt = 1;; ++attempt) {
    absl::Status status = MakeMarked(path, mark);
    if (status.ok()) {
      // A fit takes long: no use to wait for it.
      absl::StatusOr<std::unique_ptr<FileLock>> lock = file_system.Lock(mark.string(), {2, 10});
      if (lock.ok()) return WorkFolder(file_system, std::move(path), *std::move(lock));
      status = lock.status();
    }
    if (absl::IsAborted(status)) {
      return absl::AbortedError(absl::StrCat(path, " is in use by another fit; name another work folder"));
    }
    if (!absl::IsNotFound(status) || attempt == kOpenAttempts) return status;
  }
}

std::string WorkFolder::FileOf(const Key& key) const {
  return (fs::path(path_) / absl::StrCat(absl::BytesToHexString(TextOf(key)), kExtension)).string();
}

std::optional<std::string> WorkFolder::Load(const Key& key) const {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system_->OpenForRead(FileOf(key));
  constexpr size_t kHash = sizeof(Key);
  if (!file.ok() || (*file)->size() < kHash) return std::nullopt;
  std::string bytes(static_cast<size_t>((*file)->size()), '\0');
  absl::Span<uint8_t> all(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size());
  if (!(*file)->ReadAt(0, all).ok()) return std::nullopt;
  std::string contents = bytes.substr(kHash);
  if (absl::string_view(bytes).substr(0, kHash) != TextOf(KeyOf(contents))) return std::nullopt;
  return contents;
}

absl::Status WorkFolder::Store(const Key& key, absl::string_view contents) const {
  // Renamed once it is whole, but not waited for: should the machine lose it, its hash tells, and it is made again. A
  // disk may take longer to be sure of a file than the fit took to make it.
  const std::string path = FileOf(key);
  const std::string temp = absl::StrCat(path, ".", next_temp_->fetch_add(1), kTempExtension);
  std::ofstream out(temp, std::ios::binary);
  out << TextOf(KeyOf(contents)) << contents;
  out.close();
  std::error_code error;
  if (!out) error = std::make_error_code(std::errc::io_error);
  if (!error) fs::rename(temp, path, error);
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  fs::remove(temp, ignored);
  return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
}

std::string WorkFolder::scratch() const { return (fs::path(path_) / "scratch").string(); }

void WorkFolder::Remove() const {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, ignored)) {
    if (IsOurs(entry.path().filename().string())) fs::remove(entry.path(), ignored);
  }
  fs::remove_all(scratch(), ignored);
  // A folder that still has files must be known as ours.
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, ignored)) {
    if (entry.path().filename() != kMark) return;
  }
  fs::remove(fs::path(path_) / kMark, ignored);
  fs::remove(path_, ignored);
}

}  // namespace modelvault
