#include "vault/remote/range_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "vault/file_paths.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

constexpr char kLockName[] = "lock";
constexpr char kFolderEnd[] = ".ranges";
constexpr size_t kDigestBytes = sizeof(XXH128_canonical_t);
constexpr size_t kKeyDigits = 2 * kDigestBytes;
constexpr size_t kOffsetDigits = 16;
// Another process writes a range or less at a time.
constexpr LockOptions kPatience = {.attempts = 50, .interval_ms = 20};

std::string Hex128(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  return HexText({bytes.digest, sizeof(bytes.digest)});
}

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsKeyFolder(absl::string_view name) { return absl::ConsumeSuffix(&name, kFolderEnd) && IsHex(name, kKeyDigits); }

std::string NameOf(const FileRange& range) {
  return absl::StrCat(absl::Hex(range.begin, absl::kZeroPad16), "-", absl::Hex(range.end, absl::kZeroPad16));
}

std::optional<FileRange> ParseName(absl::string_view name) {
  FileRange range;
  if (name.size() != 2 * kOffsetDigits + 1 || name[kOffsetDigits] != '-' ||
      !IsHex(name.substr(0, kOffsetDigits), kOffsetDigits) || !IsHex(name.substr(kOffsetDigits + 1), kOffsetDigits) ||
      !absl::SimpleHexAtoi(name.substr(0, kOffsetDigits), &range.begin) ||
      !absl::SimpleHexAtoi(name.substr(kOffsetDigits + 1), &range.end) || range.begin >= range.end) {
    return std::nullopt;
  }
  return range;
}

}  // namespace

absl::Status RangeCache::MakeFolder(FileSystem& file_system, const std::string& folder) {
  if (absl::Status status = file_system.MakeFolders(folder); !status.ok()) return status;
  absl::Status status = file_system.CreateEmpty(PathIn(folder, kLockName));
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

RangeCache::RangeCache(FileSystem& file_system, std::string folder, uint64_t limit, const std::string& identity)
    : file_system_(file_system),
      folder_(std::move(folder)),
      limit_(limit),
      key_(absl::StrCat(Hex128(XXH3_128bits(identity.data(), identity.size())), kFolderEnd)) {
  const absl::StatusOr<std::vector<std::string>> names = file_system_.List(PathIn(folder_, key_));
  if (!names.ok()) return;  // There is none yet.
  for (const std::string& name : *names) {
    const std::optional<FileRange> range = ParseName(name);
    if (!range.has_value()) continue;
    uint64_t& end = kept_[range->begin];
    end = std::max(end, range->end);
  }
}

std::string RangeCache::PathOf(const FileRange& range) const { return PathIn(PathIn(folder_, key_), NameOf(range)); }

std::string RangeCache::DigestOf(const FileRange& range, absl::Span<const uint8_t> bytes) const {
  const std::string purpose = absl::StrCat(key_, "/", NameOf(range));
  XXH128_canonical_t digest;
  const uint64_t seed = XXH3_64bits(purpose.data(), purpose.size());
  XXH128_canonicalFromHash(&digest, XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
  return std::string(reinterpret_cast<const char*>(digest.digest), sizeof(digest.digest));
}

std::optional<FileRange> RangeCache::Find(uint64_t offset) const {
  std::optional<FileRange> furthest;
  for (auto it = kept_.begin(); it != kept_.end() && it->first <= offset; ++it) {
    const bool has = offset < it->second;
    if (has && (!furthest.has_value() || it->second > furthest->end)) furthest = FileRange{it->first, it->second};
  }
  return furthest;
}

bool RangeCache::Read(const FileRange& range, absl::Span<uint8_t> out) {
  const std::string path = PathOf(range);
  std::array<uint8_t, kDigestBytes> digest;
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system_.OpenForRead(path);
  if (file.ok() && (*file)->size() == digest.size() + out.size() && (*file)->ReadAt(0, absl::MakeSpan(digest)).ok() &&
      (*file)->ReadAt(digest.size(), out).ok() &&
      DigestOf(range, out) == absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size())) {
    std::error_code ignored;  // Then it goes earlier than it should.
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
    return true;
  }
  kept_.erase(range.begin);
  file_system_.Remove(path).IgnoreError();
  return false;
}

// Under the lock: removes what was used longest ago until `size` more bytes are within the limit.
bool RangeCache::MakeRoom(uint64_t size) {
  struct Entry {
    fs::file_time_type used;
    std::string path;
    uint64_t size;
  };
  if (size > limit_) return false;
  const absl::StatusOr<std::vector<std::string>> folders = file_system_.List(folder_);
  if (!folders.ok()) return false;
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const std::string& folder : *folders) {
    if (!IsKeyFolder(folder)) continue;
    const std::string path = PathIn(folder_, folder);
    const absl::StatusOr<std::vector<std::string>> names = file_system_.List(path);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      Entry entry = {{}, PathIn(path, name), 0};
      std::error_code error;
      entry.size = fs::file_size(entry.path, error);
      if (!error) entry.used = fs::last_write_time(entry.path, error);
      if (error) continue;  // Whoever found it damaged has just removed it.
      // Nobody else writes now: what has another name is what a process left that was killed.
      if (!ParseName(name).has_value() && file_system_.Remove(entry.path).ok()) continue;
      total += entry.size;
      entries.push_back(std::move(entry));
    }
    if (folder != key_) file_system_.RemoveFolder(path).IgnoreError();  // If nothing is in it.
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= limit_ - size) break;
    if (file_system_.Remove(entry.path).ok()) total -= entry.size;
  }
  return total <= limit_ - size;
}

void RangeCache::Write(const FileRange& range, absl::Span<const uint8_t> bytes) {
  const absl::StatusOr<std::unique_ptr<FileLock>> lock = file_system_.Lock(PathIn(folder_, kLockName), kPatience);
  if (!lock.ok() || !file_system_.MakeFolders(PathIn(folder_, key_)).ok()) return;
  if (!MakeRoom(kDigestBytes + bytes.size())) return;
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system_.CreateAtomic(PathOf(range), Durability::kNone);
  if (!file.ok()) return;
  const std::string digest = DigestOf(range, bytes);
  absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(digest.data()), digest.size()});
  if (status.ok()) status = (*file)->Append(bytes);
  if (status.ok()) status = (*file)->Commit();
  if (status.ok()) {
    uint64_t& end = kept_[range.begin];
    end = std::max(end, range.end);
  }
}

}  // namespace modelvault
