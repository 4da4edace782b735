#include "tools/formats/archive/zip_members.h"

#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "restore/described_frame.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

constexpr uint8_t kHeaderMagic[] = {'P', 'K', 3, 4};  // Of the header before a member's bytes.
constexpr size_t kHeaderSize = 30;                    // Without the name and extra fields, which have no fixed size.
constexpr size_t kNameSizeAt = 26;
constexpr size_t kExtraSizeAt = 28;
constexpr uint32_t kUnixFileType = 0170000;
constexpr uint32_t kSymbolicLink = 0120000;

// A file for the library, which tells of members what is in them but not where: that is seen by where it reads.
class WatchedFile {
 public:
  explicit WatchedFile(const RandomAccessFile& file) : file_(file) {}

  // What the library makes of this; nullptr without memory.
  zip_source_t* Source(zip_error_t* error) { return zip_source_function_create(&WatchedFile::Call, this, error); }

  void Watch() { reads_.clear(); }
  // Where it has read since, in order.
  const std::vector<uint64_t>& reads() const { return reads_; }
  // The first failure of the file itself.
  const absl::Status& status() const { return status_; }

 private:
  static zip_int64_t Call(void* self, void* data, zip_uint64_t size, zip_source_cmd_t command) {
    WatchedFile& file = *static_cast<WatchedFile*>(self);
    switch (command) {
      case ZIP_SOURCE_OPEN:
        file.offset_ = 0;
        return 0;
      case ZIP_SOURCE_READ:
        return file.Read({static_cast<uint8_t*>(data), static_cast<size_t>(size)});
      case ZIP_SOURCE_SEEK: {
        const zip_int64_t offset =
            zip_source_seek_compute_offset(file.offset_, file.file_.size(), data, size, &file.error_);
        if (offset < 0) return -1;
        file.offset_ = static_cast<uint64_t>(offset);
        return 0;
      }
      case ZIP_SOURCE_TELL:
        return static_cast<zip_int64_t>(file.offset_);
      case ZIP_SOURCE_STAT: {
        zip_stat_t* const stat = static_cast<zip_stat_t*>(data);
        zip_stat_init(stat);
        stat->size = file.file_.size();
        stat->valid = ZIP_STAT_SIZE;
        return sizeof(*stat);
      }
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&file.error_, data, size);
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_FREE:
        return 0;
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, -1);
      default:
        zip_error_set(&file.error_, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

  zip_int64_t Read(absl::Span<uint8_t> out) {
    out = out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), file_.size() - offset_)));
    const absl::Status status = file_.ReadAt(offset_, out);
    if (!status.ok()) {
      status_.Update(status);
      zip_error_set(&error_, ZIP_ER_READ, EIO);
      return -1;
    }
    reads_.push_back(offset_);
    offset_ += out.size();
    return static_cast<zip_int64_t>(out.size());
  }

  const RandomAccessFile& file_;
  uint64_t offset_ = 0;  // Never beyond the file's end.
  std::vector<uint64_t> reads_;
  absl::Status status_;
  zip_error_t error_ = {};
};

// An error of the library's.
class Error {
 public:
  Error() { zip_error_init(&error_); }
  ~Error() { zip_error_fini(&error_); }
  Error(const Error&) = delete;
  Error& operator=(const Error&) = delete;
  zip_error_t* get() { return &error_; }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_;
};

class Reader {
 public:
  explicit Reader(const RandomAccessFile& file) : file_(file), watched_(file) {}

  absl::StatusOr<std::vector<ZipMember>> Read() {
    Error error;
    zip_source_t* const source = watched_.Source(error.get());
    if (source == nullptr) return Damaged(error.text());
    zip_.reset(zip_open_from_source(source, ZIP_RDONLY, error.get()));
    if (zip_ == nullptr) {
      zip_source_free(source);
      return Damaged(error.text());
    }
    const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      if (absl::Status status = ReadMember(static_cast<zip_uint64_t>(i)); !status.ok()) return status;
    }
    if (absl::Status status = CheckApart(); !status.ok()) return status;
    return std::move(members_);
  }

 private:
  struct Discard {
    void operator()(zip_t* zip) const { zip_discard(zip); }
  };

  absl::Status Damaged(absl::string_view problem) const {
    if (!watched_.status().ok()) return watched_.status();
    return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": bad ZIP archive: ", problem));
  }

  absl::Status ReadMember(zip_uint64_t number) {
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(zip_.get(), number, ZIP_FL_ENC_RAW, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
      return Damaged(absl::StrCat("nothing is told of member ", number));
    }
    ZipMember member;
    member.name = stat.name;
    member.size = stat.comp_size;
    member.stored = stat.comp_method == ZIP_CM_STORE;
    // Nothing is to be found of members without bytes, such as folders.
    std::optional<uint64_t> begin;
    if (member.size > 0) {
      const absl::StatusOr<uint64_t> found = Find(number, &member);
      if (!found.ok()) return found.status();
      begin = *found;
    }
    if (absl::Status status = Check(number, stat, begin); !status.ok() || member.size == 0) return status;
    begins_.push_back(*begin);
    members_.push_back(std::move(member));
    return absl::OkStatus();
  }

  absl::Status BadMember(absl::string_view name, std::optional<uint64_t> begin, absl::string_view problem) const {
    if (!watched_.status().ok()) return watched_.status();
    const std::string place = begin.has_value() ? absl::StrCat(" at offset ", *begin) : "";
    return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": member ", Quoted(name), place, ": ", problem));
  }

  absl::Status Check(zip_uint64_t number, const zip_stat_t& stat, std::optional<uint64_t> begin) {
    absl::string_view path = stat.name;
    const auto bad = [&](absl::string_view problem) { return BadMember(stat.name, begin, problem); };
    if (absl::EndsWith(path, "/")) path.remove_suffix(1);
    if (!IsSafePath(path)) return bad("its name is no path below a folder");
    if (!names_.insert(std::string(path)).second) return bad("two members have the name");
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    if (zip_file_get_external_attributes(zip_.get(), number, 0, &system, &attributes) != 0) return bad("no attributes");
    if ((attributes >> 16 & kUnixFileType) == kSymbolicLink) return bad("a symbolic link");
    if (stat.encryption_method != ZIP_EM_NONE) return bad("it is encrypted");
    if (stat.comp_method != ZIP_CM_STORE || stat.comp_size == stat.size) return absl::OkStatus();
    return bad(absl::StrCat("stored as it is, but ", stat.comp_size, " bytes are to be ", stat.size));
  }

  // Has the member's first byte read: the first read is in its header, whose place is the result, the last one where
  // its bytes begin.
  absl::StatusOr<uint64_t> Find(zip_uint64_t number, ZipMember* member) {
    watched_.Watch();
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> opened(
        zip_fopen_index(zip_.get(), number, ZIP_FL_COMPRESSED | ZIP_FL_ENCRYPTED), &zip_fclose);
    uint8_t first = 0;
    if (opened == nullptr || zip_fread(opened.get(), &first, sizeof(first)) != sizeof(first)) {
      return BadMember(member->name, std::nullopt, "its bytes are not where the directory says");
    }
    const std::vector<uint64_t>& reads = watched_.reads();
    const uint64_t begin = reads.front() - std::min<uint64_t>(reads.front(), kNameSizeAt);
    member->offset = reads.back();
    std::vector<uint8_t> header(
        static_cast<size_t>(std::min(member->offset - std::min(member->offset, begin), kMaxHeaderSize)));
    if (absl::Status status = file_.ReadAt(begin, absl::MakeSpan(header)); !status.ok()) return status;
    const absl::string_view name = FirstZipMember(header);
    if (header.size() < kHeaderSize || name != member->name ||
        kHeaderSize + name.size() + LoadLe16(&header[kExtraSizeAt]) != header.size()) {
      return BadMember(member->name, begin, "what stands there is not its header");
    }
    if (member->size <= file_.size() - member->offset) return begin;
    return BadMember(name, begin, absl::StrCat(member->size, " bytes, but the file has ", file_.size()));
  }

  // Each with its header.
  absl::Status CheckApart() const {
    std::vector<size_t> order(members_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return begins_[a] < begins_[b]; });
    for (size_t i = 1; i < order.size(); ++i) {
      const ZipMember& before = members_[order[i - 1]];
      if (before.offset + before.size <= begins_[order[i]]) continue;
      return BadMember(members_[order[i]].name, begins_[order[i]],
                       absl::StrCat("overlaps member ", Quoted(before.name)));
    }
    return absl::OkStatus();
  }

  // With the longest name and extra fields.
  static constexpr uint64_t kMaxHeaderSize = kHeaderSize + 2 * 65535;

  const RandomAccessFile& file_;
  WatchedFile watched_;
  std::unique_ptr<zip_t, Discard> zip_;
  std::vector<ZipMember> members_;
  std::vector<uint64_t> begins_;  // Offsets of their headers.
  std::set<std::string> names_;
};

}  // namespace

absl::StatusOr<std::vector<ZipMember>> ReadZipMembers(const RandomAccessFile& file) { return Reader(file).Read(); }

absl::string_view FirstZipMember(absl::Span<const uint8_t> head) {
  if (head.size() < kHeaderSize || !std::equal(std::begin(kHeaderMagic), std::end(kHeaderMagic), head.begin())) {
    return "";
  }
  const size_t size = LoadLe16(&head[kNameSizeAt]);
  if (size > head.size() - kHeaderSize) return "";
  return absl::string_view(reinterpret_cast<const char*>(head.data()) + kHeaderSize, size);
}

}  // namespace modelvault
