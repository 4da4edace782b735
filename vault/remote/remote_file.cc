#include "vault/remote/remote_file.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "vault/file_reading.h"
#include "vault/remote/range_plan.h"

namespace modelvault {
namespace {

// Covers the lists of all but large vaults.
constexpr uint64_t kFirstRequest = 64 * 1024;

}  // namespace

RemoteFile::RemoteFile(FileSystem& file_system, std::string url, const RemoteOptions& options)
    : file_system_(file_system), url_(std::move(url)), options_(options), process_(getpid()), fetch_url_(url_) {}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> RemoteFile::Open(FileSystem& file_system, const std::string& url,
                                                                   const RemoteOptions& options) {
  if (!options.cache_folder.empty()) {
    absl::Status made = RangeCache::MakeFolder(file_system, options.cache_folder);
    if (!made.ok()) return made;
  }
  std::unique_ptr<RemoteFile> file(new RemoteFile(file_system, url, options));
  if (absl::Status status = file->Start(); !status.ok()) return status;
  return file;
}

absl::Status RemoteFile::Start() {
  absl::StatusOr<std::unique_ptr<HttpClient>> client = HttpClient::Create({.stall_seconds = options_.stall_seconds});
  if (!client.ok()) return absl::Status(client.status().code(), absl::StrCat(url_, ": ", client.status().message()));
  client_ = *std::move(client);
  std::unique_lock<std::mutex> lock(mutex_);
  const std::shared_ptr<Part> first = AddPart({0, kFirstRequest});
  first->demanded = true;
  try {
    thread_ = std::thread([this] { Work(); });
  } catch (const std::system_error& error) {
    return absl::UnavailableError(absl::StrCat(url_, ": no thread to read it: ", error.what()));
  }
  changed_.wait(lock, [&] { return !broken_.ok() || !first->error.ok() || first->complete(); });
  if (!broken_.ok()) return broken_;
  if (!first->error.ok()) return first->error;
  size_ = identity_->size;
  return absl::OkStatus();
}

RemoteFile::~RemoteFile() {
  if (getpid() != process_) {  // The thread and its connections are the other process'.
    if (thread_.joinable()) thread_.detach();
    static_cast<void>(client_.release());
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    if (client_ != nullptr) client_->Wake();  // Once the thread has seen it, it ends the client.
  }
  if (thread_.joinable()) thread_.join();
  client_.reset();  // It knows the fetches.
}

absl::Status RemoteFile::CheckProcess() const {
  if (getpid() == process_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(url_, ": opened before this process was forked: open it anew"));
}

absl::Status RemoteFile::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(url_, offset, out.size(), size_); !status.ok()) return status;
  if (absl::Status status = CheckProcess(); !status.ok()) return status;
  const uint64_t end = offset + out.size();
  std::unique_lock<std::mutex> lock(mutex_);
  if (out.size() > options_.part_size) {
    const FileRange all = {offset, end};
    Announce({&all, 1});
  }
  for (uint64_t at = offset; at < end;) {
    const std::shared_ptr<Part> part = PartFor(at, end);
    const auto is_in = [&] { return at >= part->range.begin && at < part->range.end; };
    const auto reach = [&] { return std::min(end, part->range.end); };
    changed_.wait(lock, [&] {
      return !broken_.ok() || !part->error.ok() || !is_in() || part->range.begin + part->received >= reach();
    });
    if (!broken_.ok()) return broken_;
    if (!part->error.ok()) {  // Who asks next has it tried again.
      const auto found = parts_.find(part->range.begin);
      if (found != parts_.end() && found->second == part) {
        held_ -= part->range.size();
        parts_.erase(found);
      }
      return part->error;
    }
    if (!is_in()) continue;
    const uint64_t to = reach();
    const uint64_t from = at - part->range.begin;
    lock.unlock();
    std::memcpy(out.data() + (at - offset), part->bytes.get() + from, static_cast<size_t>(to - at));
    lock.lock();
    part->read_to = std::max(part->read_to, to - part->range.begin);
    part->last_use = ++uses_;
    at = to;
  }
  if (!plan_.empty()) client_->Wake();  // There may be room for more of it.
  return absl::OkStatus();
}

void RemoteFile::WillRead(absl::Span<const FileRange> ranges) const {
  if (!CheckProcess().ok()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  Announce(ranges);
}

// Plans what is neither here nor planned.
void RemoteFile::Announce(absl::Span<const FileRange> ranges) const {
  std::vector<FileRange> known(plan_.begin(), plan_.end());
  for (const auto& [begin, part] : parts_) known.push_back(part->range);
  std::sort(known.begin(), known.end(), [](const FileRange& a, const FileRange& b) { return a.begin < b.begin; });
  std::vector<FileRange> fresh;
  for (const FileRange& range : MergeRanges(ranges, size_)) {
    uint64_t at = range.begin;
    for (const FileRange& k : known) {
      if (k.end <= at || k.begin >= range.end) continue;
      if (k.begin > at) fresh.push_back({at, k.begin});
      at = k.end;
    }
    if (at < range.end) fresh.push_back({at, range.end});
  }
  if (fresh.empty()) return;
  const std::vector<FileRange> parts = PlanParts(fresh, options_.part_size);
  plan_.insert(plan_.end(), parts.begin(), parts.end());
  client_->Wake();
}

std::shared_ptr<RemoteFile::Part> RemoteFile::Covering(uint64_t at) const {
  const auto after = parts_.upper_bound(at);
  if (after == parts_.begin()) return nullptr;
  const std::shared_ptr<Part>& part = std::prev(after)->second;
  return at < part->range.end ? part : nullptr;
}

// The gap between parts that has the byte at `at`.
FileRange RemoteFile::FreeAround(uint64_t at) const {
  const auto after = parts_.upper_bound(at);
  FileRange free = {0, after == parts_.end() ? size_ : after->first};
  if (after != parts_.begin()) free.begin = std::prev(after)->second->range.end;
  return free;
}

std::shared_ptr<RemoteFile::Part> RemoteFile::AddPart(const FileRange& range) const {
  auto part = std::make_shared<Part>();
  part->range = range;
  parts_.emplace(range.begin, part);
  held_ += range.size();
  return part;
}

// Of a part for which nothing has been asked yet.
void RemoteFile::Reshape(const std::shared_ptr<Part>& part, const FileRange& range) const {
  parts_.erase(part->range.begin);
  held_ -= part->range.size();
  if (part->range.end > range.end) plan_.push_front({range.end, part->range.end});
  part->range = range;
  parts_.emplace(range.begin, part);
  held_ += range.size();
}

// The part that has, or will have, the byte at `at`, for a reader who wants all up to `end`.
std::shared_ptr<RemoteFile::Part> RemoteFile::PartFor(uint64_t at, uint64_t end) const {
  std::shared_ptr<Part> part = Covering(at);
  if (part == nullptr) {
    const FileRange free = FreeAround(at);
    FileRange range = {at, std::min({end, free.end, at + options_.part_size})};
    const auto planned =
        std::find_if(plan_.begin(), plan_.end(), [&](const FileRange& p) { return p.begin <= at && at < p.end; });
    if (planned != plan_.end()) {
      const FileRange whole = *planned;
      range = {std::max(whole.begin, free.begin), std::min(whole.end, free.end)};
      auto place = plan_.erase(planned);
      if (range.end < whole.end) place = plan_.insert(place, {range.end, whole.end});
      if (whole.begin < range.begin) plan_.insert(place, {whole.begin, range.begin});
    }
    MakeRoom(range.size(), true);
    part = AddPart(range);
  }
  if (part->waits() && !part->demanded) client_->Wake();
  part->demanded = true;
  return part;
}

// Drops what has been read, the longest unused first, until `size` more bytes fit. Where a reader waits for them, what
// has not been read goes, too: then what was announced is not what happens, and no more of it is fetched ahead.
bool RemoteFile::MakeRoom(uint64_t size, bool demanded) const {
  while (held_ > 0 && held_ + size > options_.window) {
    auto victim = parts_.end();
    bool victim_read = false;
    for (auto it = parts_.begin(); it != parts_.end(); ++it) {
      const Part& part = *it->second;
      if (!part.complete()) continue;
      const bool read = part.read_to == part.range.size();
      if (!read && !demanded) continue;
      const bool better = victim == parts_.end() || (read && !victim_read) ||
                          (read == victim_read && part.last_use < victim->second->last_use);
      if (!better) continue;
      victim = it;
      victim_read = read;
    }
    if (victim == parts_.end()) return false;
    if (!victim_read) plan_.clear();
    held_ -= victim->second->range.size();
    parts_.erase(victim);
  }
  return true;
}

}  // namespace modelvault
