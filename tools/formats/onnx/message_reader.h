// Messages of Protocol Buffers in a file, field by field, with the place of each.
#ifndef MODELVAULT_TOOLS_FORMATS_ONNX_MESSAGE_READER_H_
#define MODELVAULT_TOOLS_FORMATS_ONNX_MESSAGE_READER_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault {

// The first bytes of a file as the library reads them. Bytes that are skipped are not read.
class FileInputStream : public google::protobuf::io::ZeroCopyInputStream {
 public:
  // `file` must outlive it and have `size` bytes.
  FileInputStream(const RandomAccessFile& file, uint64_t size) : file_(file), size_(size) {}
  bool Next(const void** data, int* size) override;
  void BackUp(int count) override { offset_ -= static_cast<uint64_t>(count); }
  bool Skip(int count) override;
  int64_t ByteCount() const override { return static_cast<int64_t>(offset_); }

  // Why the last call failed, if it was not for the file's end.
  const absl::Status& status() const { return status_; }

 private:
  const RandomAccessFile& file_;
  uint64_t size_;
  uint64_t offset_ = 0;  // Of what comes next.
  std::vector<uint8_t> buffer_;
  absl::Status status_;
};

enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t offset = 0;  // Of its tag.
};

struct BytePlace {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// One message at a time is open, within those around it. The first error ends the reading; errors are kInvalidArgument
// that names file and offset, or what the file says.
class MessageReader {
 public:
  // Takes one field, whose tag has been read, with one of the functions below.
  using FieldHandler = absl::FunctionRef<absl::Status(const WireField&)>;

  // `size` bytes of `file`, at most 2^31 − 1; messages within one another at most `depth`. `file` must outlive it.
  MessageReader(const RandomAccessFile& file, uint64_t size, int depth);

  // All of the file.
  absl::Status ReadAll(FieldHandler handler);

  absl::Status ReadMessage(const WireField& field, FieldHandler handler);
  absl::Status ReadVarint(const WireField& field, uint64_t* value);
  // At most `most` bytes.
  absl::Status ReadString(const WireField& field, size_t most, std::string* value);
  // Bytes, or an array that is packed.
  absl::Status SkipBytes(const WireField& field, BytePlace* place);
  // A packed array of varints, or one of its elements that stands alone; appended. `most` is what `values` may have.
  absl::Status ReadVarints(const WireField& field, size_t most, std::vector<uint64_t>* values);
  absl::Status Skip(const WireField& field);

  absl::Status Error(uint64_t offset, absl::string_view problem) const;

 private:
  absl::Status ReadFields(FieldHandler handler);
  absl::Status ReadTag(WireField* field);
  absl::Status ReadNumber(absl::string_view what, uint64_t* value);
  absl::Status ReadLength(const WireField& field, uint64_t* length);
  absl::Status Expect(const WireField& field, WireType type) const;
  absl::Status EndedAt(uint64_t offset, absl::string_view what) const;
  uint64_t offset() const { return static_cast<uint64_t>(input_.CurrentPosition()); }
  uint64_t left() const { return static_cast<uint64_t>(input_.BytesUntilLimit()); }

  const std::string path_;
  FileInputStream stream_;
  google::protobuf::io::CodedInputStream input_;
  int depth_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ONNX_MESSAGE_READER_H_
