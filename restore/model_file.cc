#include "restore/model_file.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/text_bytes.h"
#include "restore/described_frame.h"
#include "restore/joined_files.h"
#include "vault/file_kind.h"
#include "vault/file_paths.h"
#include "vault/manifest.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

// A format must keep what ModelStructure promises; everything behind it relies on that.
absl::StatusOr<ModelStructure> ParseChecked(const ModelFormat& format, absl::string_view frame, uint64_t data_size,
                                            absl::string_view file_name) {
  absl::StatusOr<ModelStructure> structure = DescribesItself(frame)
                                                 ? ParseDescribedFrame(frame, data_size, file_name)
                                                 : format.ParseFrame(BytesOf(frame), data_size, file_name);
  if (!structure.ok()) return structure.status();
  if (structure->format.empty()) structure->format = std::string(format.name());
  uint64_t covered = 0;
  bool sound = true;
  for (const ModelTensor& t : structure->tensors) {
    sound = sound && t.begin == covered && t.end >= t.begin;
    covered = t.end;
  }
  uint64_t framed = structure->description_size;
  sound = sound && framed <= frame.size();
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

bool HasExtensionOf(const ModelFormat& format, absl::string_view file_name) {
  const std::vector<absl::string_view> extensions = format.extensions();
  return std::any_of(extensions.begin(), extensions.end(),
                     [&](absl::string_view extension) { return absl::EndsWith(file_name, extension); });
}

}  // namespace

absl::StatusOr<ModelStructure> ModelFormat::ParseFrame(absl::Span<const uint8_t>, uint64_t,
                                                       absl::string_view file_name) const {
  return absl::InvalidArgumentError(
      absl::StrCat(file_name, ": a frame of the format ", name(), ", which must describe itself, does not"));
}

absl::StatusOr<ModelFile> ModelFile::FromFile(const ModelFormat& format, std::unique_ptr<RandomAccessFile> file,
                                              const FrameOptions& options, size_t most) {
  if (file->size() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat(file->path(), ": ", file->size(), " bytes, this program takes at most ", most));
  }
  absl::StatusOr<std::string> frame = format.ReadFrame(*file, options);
  if (!frame.ok()) return frame.status();
  const uint64_t opaque = frame->size() - DescriptionSize(*frame);
  if (opaque > file->size()) {
    return absl::InternalError(absl::StrCat(file->path(), ": a frame of ", opaque, " bytes in ", file->size()));
  }
  absl::StatusOr<ModelStructure> structure = ParseChecked(format, *frame, file->size() - opaque, file->path());
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
      if (absl::Status status = ReadBetweenPieces(framed, offset, out.first(count)); !status.ok()) return status;
      out.remove_prefix(count);
      offset += count;
    }
    framed += piece.size;
  }
  return ReadBetweenPieces(framed, offset, out);
}

// Data that stand `framed` bytes further back in the file than in the data section, weaves apart.
absl::Status ModelFile::ReadBetweenPieces(uint64_t framed, uint64_t offset, absl::Span<uint8_t> out) const {
  auto weave = std::lower_bound(structure_.weaves.begin(), structure_.weaves.end(), offset,
                                [](const Weave& w, uint64_t at) { return w.end() <= at; });
  while (!out.empty()) {
    const bool left = weave != structure_.weaves.end();
    const bool woven = left && weave->data_offset <= offset;
    const uint64_t end = woven ? weave->end() : left ? weave->data_offset : offset + out.size();
    const size_t count = static_cast<size_t>(std::min<uint64_t>(out.size(), end - offset));
    const absl::Status status = woven ? ReadWoven(*weave, framed + weave->data_offset, offset, out.first(count))
                                      : file_->ReadAt(framed + offset, out.first(count));
    if (!status.ok()) return status;
    if (woven) ++weave;
    out.remove_prefix(count);
    offset += count;
  }
  return absl::OkStatus();
}

// Data of one weave, which begins at `file_offset`.
absl::Status ModelFile::ReadWoven(const Weave& weave, uint64_t file_offset, uint64_t offset,
                                  absl::Span<uint8_t> out) const {
  constexpr uint64_t kBlocksAtOnce = 2048;
  const uint64_t block_size = weave.block_size();
  uint64_t stream_end = weave.data_offset;
  uint64_t part_offset = 0;  // Within a block.
  std::vector<uint8_t> blocks;
  for (const uint32_t part : weave.parts) {
    const uint64_t stream_begin = stream_end;
    stream_end += weave.blocks * part;
    while (!out.empty() && offset < stream_end) {
      const uint64_t first = (offset - stream_begin) / part;
      uint64_t within = (offset - stream_begin) % part;
      const uint64_t wanted = (within + out.size() + part - 1) / part;
      const uint64_t count = std::min({wanted, weave.blocks - first, kBlocksAtOnce});
      blocks.resize(static_cast<size_t>(count * block_size));
      absl::Status status = file_->ReadAt(file_offset + first * block_size, absl::MakeSpan(blocks));
      if (!status.ok()) return status;
      for (uint64_t i = 0; i < count; ++i, within = 0) {
        const size_t size = static_cast<size_t>(std::min<uint64_t>(out.size(), part - within));
        std::memcpy(out.data(), blocks.data() + i * block_size + part_offset + within, size);
        out.remove_prefix(size);
        offset += size;
      }
    }
    part_offset += part;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ModelFile::ReadFrameAgain() const {
  const size_t description_size = static_cast<size_t>(structure_.description_size);
  std::string frame = frame_.substr(0, description_size);
  frame.resize(frame_.size());
  absl::Span<uint8_t> left(reinterpret_cast<uint8_t*>(frame.data()), frame.size());
  left.remove_prefix(description_size);
  for (const FramePiece& piece : structure_.pieces) {
    const uint64_t framed = frame.size() - description_size - left.size();
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

bool ModelFormats::Recognises(absl::Span<const uint8_t> head) const {
  return std::any_of(formats_.begin(), formats_.end(),
                     [&](const ModelFormat* format) { return format->Recognises(head); });
}

const ModelFormat* ModelFormats::Named(absl::string_view name) const {
  const auto found =
      std::find_if(formats_.begin(), formats_.end(), [&](const ModelFormat* format) { return format->name() == name; });
  return found != formats_.end() ? *found : nullptr;
}

std::string ModelFormats::Extensions() const {
  std::vector<std::string> patterns;
  for (const ModelFormat* const format : formats_) {
    for (const absl::string_view extension : format->extensions()) patterns.push_back(absl::StrCat("*", extension));
  }
  return absl::StrJoin(patterns, ", ");
}

bool ModelFormats::HasExtension(absl::string_view file_name) const {
  return std::any_of(formats_.begin(), formats_.end(),
                     [&](const ModelFormat* format) { return HasExtensionOf(*format, file_name); });
}

absl::StatusOr<std::string> ModelFormats::FindMainFile(FileSystem& file_system, const std::string& folder) const {
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(folder);
  if (!names.ok()) return names.status();
  for (const bool with_others : {true, false}) {
    std::vector<std::string> models;
    for (const std::string& name : *names) {
      const bool known = std::any_of(formats_.begin(), formats_.end(), [&](const ModelFormat* format) {
        return format->has_other_files() == with_others && HasExtensionOf(*format, name);
      });
      if (known && name.front() != '.') models.push_back(name);
    }
    if (models.size() == 1) return models.front();
    if (models.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(folder, ": holds several models, such as ", models[0], " and ",
                                                   models[1], ": name the file that is meant"));
  }
  return std::string();
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> ModelFormats::OpenMainFile(FileSystem& file_system,
                                                                             const std::string& folder) const {
  const absl::StatusOr<std::string> main = FindMainFile(file_system, folder);
  if (!main.ok()) return main.status();
  if (!main->empty()) return file_system.OpenForRead(PathIn(folder, *main));
  return absl::InvalidArgumentError(
      absl::StrCat(folder, ": is a directory, and no model: it has no ", Extensions(), " in it"));
}

absl::StatusOr<ModelFile> ModelFormats::Open(FileSystem& file_system, absl::string_view path_view,
                                             const FrameOptions& options) const {
  const absl::StatusOr<bool> is_folder = file_system.IsFolder(path_view);
  if (!is_folder.ok()) return is_folder.status();
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file =
      *is_folder ? OpenMainFile(file_system, std::string(path_view)) : file_system.OpenForRead(path_view);
  if (!file.ok()) return file.status();
  const std::string path = (*file)->path();
  std::vector<uint8_t> head(static_cast<size_t>(std::min<uint64_t>(kModelHeadSize, (*file)->size())));
  if (absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  const absl::StatusOr<const ModelFormat*> format = Find(head, path);
  if (!format.ok()) return format.status();
  absl::StatusOr<std::vector<OtherFile>> others = (*format)->OpenOthers(file_system, **file);
  if (!others.ok()) return others.status();
  if (others->empty()) return ModelFile::FromFile(**format, *std::move(file), options);
  FrameOptions with_files = options;
  with_files.files = {{path.substr(path.rfind('/') + 1), (*file)->size()}};
  std::vector<std::unique_ptr<RandomAccessFile>> files;
  files.push_back(*std::move(file));
  for (OtherFile& other : *others) {
    if (!IsSafePath(other.path)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": a file of the model is called ", Quoted(other.path),
                                                     ", which not every system takes: rename it"));
    }
    with_files.files.push_back({std::move(other.path), other.file->size()});
    files.push_back(std::move(other.file));
  }
  return ModelFile::FromFile(**format, std::make_unique<JoinedFiles>(std::move(files), std::string(path_view)),
                             with_files);
}

absl::StatusOr<ModelStructure> ModelFormats::ParseFrame(absl::string_view frame, uint64_t data_size,
                                                        absl::string_view what) const {
  if (DescribesItself(frame)) return ParseDescribedFrame(frame, data_size, what);
  const absl::Span<const uint8_t> bytes = BytesOf(frame);
  const absl::StatusOr<const ModelFormat*> format = Find(bytes.first(std::min(kModelHeadSize, bytes.size())), what);
  if (!format.ok()) return format.status();
  return ParseChecked(**format, frame, data_size, what);
}

}  // namespace modelvault
