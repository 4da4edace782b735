// Writes ZIP archives for tests, sound ones and others.
#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_ARCHIVE_ZIP_WRITER_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_ARCHIVE_ZIP_WRITER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "tests/tools/formats/le_bytes.h"

namespace modelvault {

struct ZipMemberOptions {
  uint16_t method = 0;      // 0: stored, 8: deflated.
  uint16_t flags = 0;       // Bit 0: encrypted.
  uint32_t attributes = 0;  // Of the file; the upper half as a Unix has them.
  size_t align = 1;         // The bytes begin at a multiple of it.
  bool zip64 = false;       // Sizes and offset in the fields that take 64 bits.
  // What the directory says instead of what is so.
  std::optional<uint64_t> size, whole_size, offset;
};

class ZipWriter {
 public:
  ZipWriter& Member(const std::string& name, const std::string& bytes, const ZipMemberOptions& options = {}) {
    const uint64_t offset = options.offset.value_or(file_.size());
    const uint64_t size = options.size.value_or(bytes.size());
    const uint64_t whole_size = options.whole_size.value_or(size);
    const std::string common = LeBytes(options.zip64 ? 45 : 20, 2) + LeBytes(options.flags, 2) +
                               LeBytes(options.method, 2) + LeBytes(0, 2) + LeBytes(33, 2) + LeBytes(Crc(bytes), 4) +
                               Field(size, options.zip64) + Field(whole_size, options.zip64) + LeBytes(name.size(), 2);
    std::string extra = options.zip64 ? Zip64Field(LeBytes(whole_size, 8) + LeBytes(size, 8)) : "";
    const size_t at = file_.size() + 30 + name.size() + extra.size();
    if (at % options.align != 0) {
      const size_t padding = (2 * options.align - (at + 4) % options.align) % options.align;
      extra += "FB" + LeBytes(padding, 2) + std::string(padding, 'Z');
    }
    file_ += "PK\3\4" + common + LeBytes(extra.size(), 2) + name + extra + bytes;

    extra = options.zip64 ? Zip64Field(LeBytes(whole_size, 8) + LeBytes(size, 8) + LeBytes(offset, 8)) : "";
    directory_ += "PK\1\2" + LeBytes(3 << 8 | 20, 2) + common + LeBytes(extra.size(), 2) + LeBytes(0, 6) +
                  LeBytes(options.attributes, 4) + Field(offset, options.zip64) + name + extra;
    ++count_;
    zip64_ = zip64_ || options.zip64;
    return *this;
  }

  // Bytes of the members so far.
  uint64_t size() const { return file_.size(); }

  std::string File(const std::string& comment = "") const {
    std::string end;
    if (zip64_) {
      const uint64_t record = file_.size() + directory_.size();
      end = "PK\6\6" + LeBytes(44, 8) + LeBytes(45, 2) + LeBytes(45, 2) + LeBytes(0, 8) + LeBytes(count_, 8) +
            LeBytes(count_, 8) + LeBytes(directory_.size(), 8) + LeBytes(file_.size(), 8);
      end += "PK\6\7" + LeBytes(0, 4) + LeBytes(record, 8) + LeBytes(1, 4);
    }
    end += "PK\5\6" + LeBytes(0, 4) + LeBytes(zip64_ ? 0xffff : count_, 2) + LeBytes(zip64_ ? 0xffff : count_, 2) +
           Field(directory_.size(), zip64_) + Field(file_.size(), zip64_) + LeBytes(comment.size(), 2) + comment;
    return file_ + directory_ + end;
  }

 private:
  static std::string Field(uint64_t value, bool zip64) { return LeBytes(zip64 ? 0xffffffff : value, 4); }
  static std::string Zip64Field(const std::string& values) {
    return LeBytes(1, 2) + LeBytes(values.size(), 2) + values;
  }

  static uint32_t Crc(const std::string& bytes) {
    uint32_t crc = ~0u;
    for (const char byte : bytes) {
      crc ^= static_cast<uint8_t>(byte);
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
  }

  std::string file_;
  std::string directory_;
  uint64_t count_ = 0;
  bool zip64_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_ARCHIVE_ZIP_WRITER_H_
