#include "tools/formats/onnx/message_reader.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace modelvault {
namespace {

using google::protobuf::io::CodedInputStream;

constexpr uint64_t kBufferSize = 65536;

absl::string_view Name(WireType type) {
  switch (type) {
    case WireType::kVarint:
      return "a varint";
    case WireType::kFixed64:
      return "8 bytes";
    case WireType::kBytes:
      return "bytes of a length";
    case WireType::kFixed32:
      return "4 bytes";
  }
  return "nothing known";
}

}  // namespace

bool FileInputStream::Next(const void** data, int* size) {
  const uint64_t count = std::min(kBufferSize, size_ - offset_);
  if (count == 0) return false;
  buffer_.resize(static_cast<size_t>(count));
  status_ = file_.ReadAt(offset_, absl::MakeSpan(buffer_));
  if (!status_.ok()) return false;
  offset_ += count;
  *data = buffer_.data();
  *size = static_cast<int>(count);
  return true;
}

bool FileInputStream::Skip(int count) {
  const uint64_t skipped = std::min(static_cast<uint64_t>(count), size_ - offset_);
  offset_ += skipped;
  return skipped == static_cast<uint64_t>(count);
}

MessageReader::MessageReader(const RandomAccessFile& file, uint64_t size, int depth)
    : path_(file.path()), stream_(file, size), input_(&stream_), depth_(depth) {
  input_.PushLimit(static_cast<int>(size));
}

absl::Status MessageReader::ReadAll(FieldHandler handler) { return ReadFields(handler); }

absl::Status MessageReader::ReadFields(FieldHandler handler) {
  while (left() > 0) {
    WireField field;
    if (absl::Status status = ReadTag(&field); !status.ok()) return status;
    if (absl::Status status = handler(field); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadMessage(const WireField& field, FieldHandler handler) {
  uint64_t length = 0;
  if (absl::Status status = ReadLength(field, &length); !status.ok()) return status;
  if (depth_ == 0) return Error(field.offset, "messages are nested too deeply");
  --depth_;
  const CodedInputStream::Limit outer = input_.PushLimit(static_cast<int>(length));
  const absl::Status status = ReadFields(handler);
  input_.PopLimit(outer);
  ++depth_;
  return status;
}

absl::Status MessageReader::ReadVarint(const WireField& field, uint64_t* value) {
  if (absl::Status status = Expect(field, WireType::kVarint); !status.ok()) return status;
  return ReadNumber("a varint", value);
}

absl::Status MessageReader::ReadString(const WireField& field, size_t most, std::string* value) {
  uint64_t length = 0;
  if (absl::Status status = ReadLength(field, &length); !status.ok()) return status;
  if (length > most)
    return Error(field.offset, absl::StrCat("a text of ", length, " bytes, at most ", most, " are taken"));
  const uint64_t begin = offset();
  return input_.ReadString(value, static_cast<int>(length)) ? absl::OkStatus() : EndedAt(begin, "a text");
}

absl::Status MessageReader::SkipBytes(const WireField& field, BytePlace* place) {
  uint64_t length = 0;
  if (absl::Status status = ReadLength(field, &length); !status.ok()) return status;
  *place = {offset(), length};
  return input_.Skip(static_cast<int>(length)) ? absl::OkStatus() : EndedAt(place->offset, "bytes");
}

absl::Status MessageReader::ReadVarints(const WireField& field, size_t most, std::vector<uint64_t>* values) {
  const auto add = [&]() -> absl::Status {
    if (values->size() >= most) return Error(field.offset, absl::StrCat("more than ", most, " numbers"));
    return ReadNumber("a varint", &values->emplace_back());
  };
  if (field.type != WireType::kBytes) {
    if (absl::Status status = Expect(field, WireType::kVarint); !status.ok()) return status;
    return add();
  }
  uint64_t length = 0;
  if (absl::Status status = ReadLength(field, &length); !status.ok()) return status;
  const CodedInputStream::Limit outer = input_.PushLimit(static_cast<int>(length));
  absl::Status status;
  while (status.ok() && left() > 0) status = add();
  input_.PopLimit(outer);
  return status;
}

absl::Status MessageReader::Skip(const WireField& field) {
  BytePlace place;
  uint64_t number = 0;
  switch (field.type) {
    case WireType::kVarint:
      return ReadNumber("a varint", &number);
    case WireType::kBytes:
      return SkipBytes(field, &place);
    case WireType::kFixed32:
    case WireType::kFixed64:
      break;
  }
  const int size = field.type == WireType::kFixed32 ? 4 : 8;
  return input_.Skip(size) ? absl::OkStatus() : EndedAt(field.offset, Name(field.type));
}

absl::Status MessageReader::Error(uint64_t offset, absl::string_view problem) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": offset ", offset, ": ", problem));
}

absl::Status MessageReader::ReadTag(WireField* field) {
  field->offset = offset();
  uint64_t tag = 0;
  if (absl::Status status = ReadNumber("a tag", &tag); !status.ok()) return status;
  // A tag is a varint of 32 bits; the library's own reader drops what is beyond them.
  if (tag > std::numeric_limits<uint32_t>::max() || tag >> 3 == 0) {
    return Error(field->offset, absl::StrCat("tag ", tag, ", which no field has"));
  }
  field->number = static_cast<uint32_t>(tag >> 3);
  field->type = static_cast<WireType>(tag & 7);
  switch (field->type) {
    case WireType::kVarint:
    case WireType::kFixed64:
    case WireType::kBytes:
    case WireType::kFixed32:
      return absl::OkStatus();
  }
  return Error(field->offset, absl::StrCat("field ", field->number, " has wire type ", tag & 7));
}

absl::Status MessageReader::ReadNumber(absl::string_view what, uint64_t* value) {
  const uint64_t begin = offset();
  return input_.ReadVarint64(value) ? absl::OkStatus() : EndedAt(begin, what);
}

absl::Status MessageReader::ReadLength(const WireField& field, uint64_t* length) {
  if (absl::Status status = Expect(field, WireType::kBytes); !status.ok()) return status;
  if (absl::Status status = ReadNumber("a length", length); !status.ok()) return status;
  // The library would take the end of what is around the field for its own.
  if (*length > left()) {
    return Error(field.offset,
                 absl::StrCat("field ", field.number, " has ", *length, " bytes, but only ", left(), " follow"));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::Expect(const WireField& field, WireType type) const {
  if (field.type == type) return absl::OkStatus();
  return Error(field.offset,
               absl::StrCat("field ", field.number, ": expected ", Name(type), ", found ", Name(field.type)));
}

// A failed read: of the file, or for what the bytes are.
absl::Status MessageReader::EndedAt(uint64_t offset, absl::string_view what) const {
  if (!stream_.status().ok()) return stream_.status();
  return Error(offset, absl::StrCat("expected ", what, ", which does not end where it must"));
}

}  // namespace modelvault
