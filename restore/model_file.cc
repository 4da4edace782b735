#include "restore/model_file.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/text_bytes.h"
#include "vault/file_kind.h"

namespace modelvault {
namespace {

// A format must keep what ModelStructure promises; everything behind it relies on that.
absl::StatusOr<ModelStructure> ParseChecked(const ModelFormat& format, absl::Span<const uint8_t> frame,
                                            uint64_t data_size, absl::string_view file_name) {
  absl::StatusOr<ModelStructure> structure = format.ParseFrame(frame, data_size, file_name);
  if (!structure.ok()) return structure.status();
  uint64_t covered = 0;
  bool sound = true;
  for (const ModelTensor& t : structure->tensors) {
    sound = sound && t.begin == covered && t.end >= t.begin;
    covered = t.end;
  }
  uint64_t framed = 0;
  uint64_t last = 0;
  for (const FramePiece& piece : structure->pieces) {
    sound = sound && piece.data_offset >= last && piece.data_offset <= data_size && piece.size <= frame.size() - framed;
    if (!sound) break;
    last = piece.data_offset;
    framed += piece.size;
  }
  if (sound && covered == data_size && framed == frame.size()) return structure;
  return absl::InternalError(absl::StrCat(file_name, ": format ", format.name(), " describes ", covered, " bytes of ",
                                          data_size, " and ", framed, " of a frame of ", frame.size()));
}

}  // namespace

absl::StatusOr<ModelFile> ModelFile::FromFile(const ModelFormat& format, std::unique_ptr<RandomAccessFile> file,
                                              size_t most) {
  if (file->size() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat(file->path(), ": ", file->size(), " bytes, this program takes at most ", most));
  }
  absl::StatusOr<std::string> frame = format.ReadFrame(*file);
  if (!frame.ok()) return frame.status();
  if (frame->size() > file->size()) {
    return absl::InternalError(absl::StrCat(file->path(), ": a frame of ", frame->size(), " bytes in ", file->size()));
  }
  absl::StatusOr<ModelStructure> structure =
      ParseChecked(format, BytesOf(*frame), file->size() - frame->size(), file->path());
  if (!structure.ok()) return structure.status();
  return ModelFile(&format, std::move(file), *std::move(frame), *std::move(structure));
}

absl::Status ModelFile::ReadData(uint64_t offset, absl::Span<uint8_t> out) const {
  if (offset > data_size() || out.size() > data_size() - offset) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": ", out.size(), " bytes at offset ", offset,
                                                   " do not lie within the data section of ", data_size(), " bytes"));
  }
  uint64_t framed = 0;
  for (const FramePiece& piece : structure_.pieces) {
    if (out.empty()) break;
    if (piece.data_offset > offset) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(out.size(), piece.data_offset - offset));
      if (absl::Status status = file_->ReadAt(framed + offset, out.first(count)); !status.ok()) return status;
      out.remove_prefix(count);
      offset += count;
    }
    framed += piece.size;
  }
  return out.empty() ? absl::OkStatus() : file_->ReadAt(framed + offset, out);
}

absl::StatusOr<std::string> ModelFile::ReadFrameAgain() const {
  std::string frame(frame_.size(), '\0');
  absl::Span<uint8_t> left(reinterpret_cast<uint8_t*>(frame.data()), frame.size());
  for (const FramePiece& piece : structure_.pieces) {
    const uint64_t framed = frame.size() - left.size();
    const size_t size = static_cast<size_t>(piece.size);
    if (absl::Status status = file_->ReadAt(framed + piece.data_offset, left.first(size)); !status.ok()) return status;
    left.remove_prefix(size);
  }
  return frame;
}

absl::StatusOr<const ModelFormat*> ModelFormats::Find(absl::Span<const uint8_t> head,
                                                      absl::string_view file_name) const {
  for (const ModelFormat* format : formats_) {
    if (format->Recognises(head)) return format;
  }
  const auto names = [](std::string* out, const ModelFormat* format) { absl::StrAppend(out, format->name()); };
  return absl::InvalidArgumentError(absl::StrCat(
      file_name, ": not a model file (", absl::StrJoin(formats_, ", ", names), "): it is ", DescribeFileKind(head)));
}

std::string ModelFormats::Extensions() const {
  return absl::StrJoin(formats_, ", ", [](std::string* out, const ModelFormat* format) {
    absl::StrAppend(out, "*", format->extension());
  });
}

bool ModelFormats::HasExtension(absl::string_view file_name) const {
  return std::any_of(formats_.begin(), formats_.end(),
                     [&](const ModelFormat* format) { return absl::EndsWith(file_name, format->extension()); });
}

absl::StatusOr<ModelFile> ModelFormats::Open(FileSystem& file_system, absl::string_view path) const {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  std::vector<uint8_t> head(static_cast<size_t>(std::min<uint64_t>(kModelHeadSize, (*file)->size())));
  if (absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  const absl::StatusOr<const ModelFormat*> format = Find(head, path);
  if (!format.ok()) return format.status();
  return ModelFile::FromFile(**format, *std::move(file));
}

absl::StatusOr<ModelStructure> ModelFormats::ParseFrame(absl::string_view frame, uint64_t data_size,
                                                        absl::string_view what) const {
  const absl::Span<const uint8_t> bytes = BytesOf(frame);
  const absl::StatusOr<const ModelFormat*> format = Find(bytes.first(std::min(kModelHeadSize, bytes.size())), what);
  if (!format.ok()) return format.status();
  return ParseChecked(**format, bytes, data_size, what);
}

absl::Status FileAssembler::WriteFrame() {
  while (!pieces_.empty() && pieces_.front().data_offset == data_offset_) {
    const size_t size = static_cast<size_t>(pieces_.front().size);
    if (absl::Status status = sink_(BytesOf(frame_.substr(0, size))); !status.ok()) return status;
    frame_.remove_prefix(size);
    pieces_.remove_prefix(1);
  }
  return absl::OkStatus();
}

absl::Status FileAssembler::Append(absl::Span<const uint8_t> data) {
  while (!data.empty()) {
    if (absl::Status status = WriteFrame(); !status.ok()) return status;
    uint64_t count = data.size();
    if (!pieces_.empty()) count = std::min(count, pieces_.front().data_offset - data_offset_);
    if (absl::Status status = sink_(data.first(static_cast<size_t>(count))); !status.ok()) return status;
    data.remove_prefix(static_cast<size_t>(count));
    data_offset_ += count;
  }
  return absl::OkStatus();
}

}  // namespace modelvault
