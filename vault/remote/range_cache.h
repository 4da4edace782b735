// A folder that keeps ranges of remote files from one run of a program to the next.
#ifndef MODELVAULT_VAULT_REMOTE_RANGE_CACHE_H_
#define MODELVAULT_VAULT_REMOTE_RANGE_CACHE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

// Each range is a file, FOLDER/KEY.ranges/BEGIN-END, where KEY stands for the URL and what the server says the file is,
// so that another version is another key. A file begins with the XXH3-128 of what it is for and what it holds: one that
// is damaged is removed, and as if it had never been. That is no proof against somebody who writes to the folder: what
// is read is to be proven as if it came from the server.
//
// Several processes may use a folder. Files appear complete, under a lock on FOLDER/lock, and their sizes together
// never exceed the limit: those used longest ago go first, whatever they are of. Files of other names are left alone.
//
// It is there to help: what fails, but for making the folder, is as if a range were not kept. Thread-compatible.
class RangeCache {
 public:
  // Makes the folder and its lock unless they are there; an error is FileSystem's. `file_system` must outlive this.
  static absl::Status MakeFolder(FileSystem& file_system, const std::string& folder);

  // `identity` says which version of which file the ranges are of. The folder must be there.
  RangeCache(FileSystem& file_system, std::string folder, uint64_t limit, const std::string& identity);

  // The kept range that has the byte at `offset` and reaches furthest.
  std::optional<FileRange> Find(uint64_t offset) const;
  // Fills `out` with a kept range's bytes, `range.size()` of them. False, and it is kept no longer, if that fails.
  bool Read(const FileRange& range, absl::Span<uint8_t> out);
  void Write(const FileRange& range, absl::Span<const uint8_t> bytes);

 private:
  std::string PathOf(const FileRange& range) const;
  std::string DigestOf(const FileRange& range, absl::Span<const uint8_t> bytes) const;
  bool MakeRoom(uint64_t size);

  FileSystem& file_system_;
  const std::string folder_;
  const uint64_t limit_;
  const std::string key_;
  std::map<uint64_t, uint64_t> kept_;  // End by begin.
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_RANGE_CACHE_H_
