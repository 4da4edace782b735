#include "tools/packing/work_folder.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "codec/text_bytes.h"
#include "vault/file_paths.h"
#include "vault/model_digester.h"

namespace modelvault {
namespace {

// What runs of one kind call their files.
struct Names {
  const char* run;
  const char* extension;
  const char* mark;  // An empty file.
  const char* made;  // Another one, where a run made the folder, which may then be removed.
};
constexpr Names kNames[] = {{"fit", ".fitted", "mvault-fit-work", "mvault-fit-made"},
                            {"pack", ".packed", "mvault-pack-work", "mvault-pack-made"}};

const Names& NamesOf(WorkOf of) { return kNames[static_cast<size_t>(of)]; }

// Another run may remove the folder while it is opened; more often than this in a row it does not.
constexpr int kOpenAttempts = 10;

absl::string_view TextOf(const WorkFolder::Key& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

// Whether it is a name that Store gives, KEY and extension, or that of the temporary file for one.
bool IsOurs(absl::string_view name, const char* extension) {
  if (absl::ConsumePrefix(&name, ".") && !absl::ConsumeSuffix(&name, ".tmp")) return false;
  constexpr size_t kDigits = 2 * sizeof(WorkFolder::Key);
  const absl::string_view key = name.substr(0, kDigits);
  if (key.size() < kDigits || key.find_first_not_of("0123456789abcdef") != absl::string_view::npos) return false;
  name.remove_prefix(kDigits);
  return absl::ConsumePrefix(&name, extension) && name.find_first_not_of(".-0123456789") == absl::string_view::npos;
}

// Makes the folder and its mark unless they are there; `*made_mark` tells of the mark. kNotFound if another run removed
// the folder meanwhile.
absl::Status MakeMarked(FileSystem& file_system, const std::string& path, const Names& our, bool* made_mark) {
  *made_mark = false;
  std::vector<std::string> made_folders;
  if (absl::Status status = file_system.MakeFolders(path, &made_folders); !status.ok()) return status;
  if (!made_folders.empty()) {
    const absl::Status made = file_system.CreateEmpty(PathIn(path, our.made));
    if (!made.ok()) {
      file_system.RemoveFolder(path).IgnoreError();
      return made;
    }
  }
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(path);
  if (!names.ok()) return names.status();
  if (std::find(names->begin(), names->end(), our.mark) != names->end()) return absl::OkStatus();
  // Of a run that was killed before it made the mark, no more is left.
  if (!names->empty() && *names != std::vector<std::string>{our.made}) {
    return absl::AlreadyExistsError(absl::StrCat(path, " has files, but not of an interrupted ", our.run,
                                                 "; remove it or name another work folder"));
  }
  // Another run may just have made it.
  const absl::Status made = file_system.CreateEmpty(PathIn(path, our.mark));
  *made_mark = made.ok();
  return absl::IsAlreadyExists(made) ? absl::OkStatus() : made;
}

}  // namespace

WorkFolder::Key KeyOf(absl::string_view bytes) {
  ModelDigester digester;
  digester.Update(BytesOf(bytes));
  return digester.Digests().xxh3;
}

absl::StatusOr<WorkFolder> WorkFolder::Open(FileSystem& file_system, std::string path, WorkOf of) {
  const Names& our = NamesOf(of);
  for (int attempt = 1;; ++attempt) {
    bool made_mark = false;
    absl::Status status = MakeMarked(file_system, path, our, &made_mark);
    if (status.ok()) {
      // A run takes long: no use to wait for it.
      absl::StatusOr<std::unique_ptr<FileLock>> lock = file_system.Lock(PathIn(path, our.mark), {2, 10});
      if (lock.ok()) return WorkFolder(file_system, std::move(path), of, *std::move(lock));
      status = lock.status();
      if (absl::IsUnavailable(status)) {
        if (made_mark) WorkFolder(file_system, path, of, nullptr).RemoveIfEmpty();
        return absl::UnavailableError(absl::StrCat(status.message(), "; --work names another work folder"));
      }
    }
    if (absl::IsAborted(status)) {
      return absl::AbortedError(absl::StrCat(path, " is in use by another ", our.run, "; name another work folder"));
    }
    if (!absl::IsNotFound(status) || attempt == kOpenAttempts) return status;
  }
}

absl::StatusOr<WorkFolder> WorkFolder::Join(FileSystem& file_system, std::string path, WorkOf of) {
  const absl::StatusOr<bool> marked = file_system.Exists(PathIn(path, NamesOf(of).mark));
  if (!marked.ok()) return marked.status();
  if (!*marked) return absl::NotFoundError(absl::StrCat(path, ": no work folder of a ", NamesOf(of).run));
  return WorkFolder(file_system, std::move(path), of, nullptr);
}

std::string WorkFolder::FileOf(const Key& key) const {
  return PathIn(path_, absl::StrCat(absl::BytesToHexString(TextOf(key)), NamesOf(of_).extension));
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
  // Not waited for: should the machine lose it, its hash tells, and it is made again. A disk may take longer to be sure
  // of a file than the run took to make it.
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system_->CreateAtomic(FileOf(key), Durability::kNone);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Append(BytesOf(TextOf(KeyOf(contents))));
  if (status.ok()) status = (*file)->Append(BytesOf(contents));
  return status.ok() ? (*file)->Commit() : status;
}

std::string WorkFolder::scratch() const { return PathIn(path_, "scratch"); }

void WorkFolder::Remove() const {
  for (const std::string& name : file_system_->List(path_).value_or(std::vector<std::string>())) {
    if (IsOurs(name, NamesOf(of_).extension)) file_system_->Remove(PathIn(path_, name)).IgnoreError();
  }
  file_system_->RemoveTree(scratch()).IgnoreError();
  RemoveIfEmpty();
}

void WorkFolder::RemoveIfEmpty() const {
  // A folder that still has files must be known as ours.
  const absl::StatusOr<std::vector<std::string>> names = file_system_->List(path_);
  if (!names.ok()) return;
  const Names& our = NamesOf(of_);
  const bool made = *names == std::vector<std::string>{our.made, our.mark};
  if (!made && *names != std::vector<std::string>{our.mark}) return;
  if (made) file_system_->Remove(PathIn(path_, our.made)).IgnoreError();
  file_system_->Remove(PathIn(path_, our.mark)).IgnoreError();
  if (made) file_system_->RemoveFolder(path_).IgnoreError();
}

}  // namespace modelvault
