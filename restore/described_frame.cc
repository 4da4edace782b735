#include "restore/described_frame.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "codec/core/bytes.h"
#include "codec/text_bytes.h"
#include "proto/model_frame.pb.h"
#include "vault/core/utf8.h"
#include "vault/format.h"
#include "vault/manifest.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

constexpr uint64_t kMaxUint64 = std::numeric_limits<uint64_t>::max();

// A description on its way into a structure: what is left of the data section and of the opaque bytes.
class Reader {
 public:
  Reader(absl::string_view what, uint64_t data_size, uint64_t opaque_size)
      : what_(what), data_size_(data_size), opaque_left_(opaque_size) {}

  absl::StatusOr<ModelStructure> Read(ModelFrame* frame) {
    if (!IsFrameText(frame->format()) || frame->format().size() > kMaxFrameNameSize) return Bad("its format's name");
    structure_.format = std::move(*frame->mutable_format());
    structure_.whole_file = frame->whole_file();
    if (frame->tensors_size() > static_cast<int>(kMaxFrameTensors)) return Bad("too many tensors");
    for (FramedTensor& tensor : *frame->mutable_tensors()) {
      if (absl::Status status = AddTensor(&tensor); !status.ok()) return status;
    }
    if (absl::Status status = AddPiece(frame->tail()); !status.ok()) return status;
    if (data_offset_ != data_size_) {
      return Bad(absl::StrCat("its tensors have ", data_offset_, " bytes, the data section has ", data_size_));
    }
    if (opaque_left_ != 0) return Bad(absl::StrCat(opaque_left_, " opaque bytes too many"));
    for (const FrameWeave& weave : frame->weaves()) {
      if (absl::Status status = AddWeave(weave); !status.ok()) return status;
    }
    for (FramedFile& file : *frame->mutable_files()) {
      if (absl::Status status = AddFile(&file); !status.ok()) return status;
    }
    const uint64_t size = data_size_ + opaque_size_;
    if (!structure_.files.empty() && files_size_ != size) {
      return Bad(absl::StrCat("its files have ", files_size_, " bytes, all that is stored are ", size));
    }
    return std::move(structure_);
  }

 private:
  absl::Status Bad(absl::string_view problem) const {
    return absl::InvalidArgumentError(absl::StrCat(what_, ": bad frame: ", problem));
  }
  absl::Status BadTensor(const std::string& name, absl::string_view problem) const {
    return Bad(absl::StrCat("tensor ", Quoted(name), ", at byte ", data_offset_, " of the data: ", problem));
  }

  absl::Status AddPiece(uint64_t size) {
    if (size == 0) return absl::OkStatus();
    if (size > opaque_left_) {
      return Bad(
          absl::StrCat(size, " opaque bytes before byte ", data_offset_, " of the data, ", opaque_left_, " are left"));
    }
    structure_.pieces.push_back({data_offset_, size});
    opaque_left_ -= size;
    opaque_size_ += size;
    return absl::OkStatus();
  }

  absl::Status AddTensor(FramedTensor* framed) {
    if (absl::Status status = AddPiece(framed->gap()); !status.ok()) return status;
    const std::string& name = framed->name();
    if (name.empty() || name.size() > kMaxFrameNameSize || !IsFrameText(name)) {
      return BadTensor(name, absl::StrCat("a name has 1 to ", kMaxFrameNameSize, " bytes of UTF-8 without NUL"));
    }
    if (framed->type().size() > kMaxFrameNameSize || !IsFrameText(framed->type())) {
      return BadTensor(name, "its type is not UTF-8");
    }
    if (framed->dtype() >= kDTypeCount) return BadTensor(name, absl::StrCat("unknown type ", framed->dtype()));
    if (framed->shape_size() > static_cast<int>(kMaxFrameRank)) {
      return BadTensor(name, absl::StrCat("more than ", kMaxFrameRank, " dimensions"));
    }
    ModelTensor tensor;
    tensor.dtype = static_cast<DType>(framed->dtype());
    tensor.shape.assign(framed->shape().begin(), framed->shape().end());
    const absl::StatusOr<uint64_t> size = SizeOf(*framed, tensor);
    if (!size.ok()) return size.status();
    if (*size > data_size_ - data_offset_) {
      return BadTensor(name, absl::StrCat(*size, " bytes, ", data_size_ - data_offset_, " are left"));
    }
    tensor.begin = data_offset_;
    tensor.end = data_offset_ += *size;
    tensor.opaque_bits = framed->bits();
    tensor.opaque_type = std::move(*framed->mutable_type());
    tensor.name = std::move(*framed->mutable_name());
    structure_.tensors.push_back(std::move(tensor));
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> SizeOf(const FramedTensor& framed, const ModelTensor& tensor) const {
    const std::optional<uint64_t> elements = ElementCount(tensor.shape);
    const uint64_t bits = tensor.dtype == DType::kOpaque ? framed.bits() : tensor.element_bits();
    if (!elements.has_value() || (bits > 0 && *elements > kMaxUint64 / bits)) {
      return BadTensor(framed.name(),
                       absl::StrCat("the elements of [", absl::StrJoin(tensor.shape, ", "), "] do not fit 64 bits"));
    }
    if (tensor.dtype == DType::kOpaque) return framed.size();
    if (framed.size() != 0 || framed.bits() != 0 || !framed.type().empty()) {
      return BadTensor(framed.name(), "only opaque ones have a size, bits and a type of their own");
    }
    return *elements * bits / 8;
  }

  absl::Status AddWeave(const FrameWeave& framed) {
    const std::vector<ModelTensor>& tensors = structure_.tensors;
    const size_t count = static_cast<size_t>(framed.parts_size());
    if (count < 2 || count > kMaxWeaveParts || framed.first_tensor() < woven_ ||
        framed.first_tensor() > tensors.size() || count > tensors.size() - framed.first_tensor()) {
      return Bad(absl::StrCat("a weave of ", count, " tensors from number ", framed.first_tensor(), ", after ", woven_,
                              " of ", tensors.size()));
    }
    const size_t first = static_cast<size_t>(framed.first_tensor());
    Weave weave{tensors[first].begin, 0, {framed.parts().begin(), framed.parts().end()}};
    for (size_t i = 0; i < count; ++i) {
      const ModelTensor& tensor = tensors[first + i];
      const uint32_t part = weave.parts[i];
      const bool sized = part >= 1 && part <= kMaxWeavePart && tensor.size() % part == 0;
      if (sized && i == 0) weave.blocks = tensor.size() / part;
      if (!sized || tensor.size() / part != weave.blocks) {
        return Bad(absl::StrCat("tensor ", Quoted(tensor.name), ": ", tensor.size(), " bytes are not ", weave.blocks,
                                " blocks of ", part));
      }
    }
    if (weave.blocks == 0 || weave.size() > kMaxWeaveSize) {
      return Bad(absl::StrCat("the weave at tensor ", Quoted(tensors[first].name), " has ", weave.size(),
                              " bytes, expected 1 to ", kMaxWeaveSize));
    }
    const auto behind =
        std::upper_bound(structure_.pieces.begin(), structure_.pieces.end(), weave.data_offset,
                         [](uint64_t offset, const FramePiece& piece) { return offset < piece.data_offset; });
    if (behind != structure_.pieces.end() && behind->data_offset < weave.end())
      return Bad(absl::StrCat("opaque bytes inside the weave at tensor ", Quoted(tensors[first].name)));
    woven_ = first + count;
    structure_.weaves.push_back(std::move(weave));
    return absl::OkStatus();
  }

  absl::Status AddFile(FramedFile* framed) {
    FilePart file{std::move(*framed->mutable_path()), framed->size()};
    if (structure_.files.size() == kMaxFrameFiles) return Bad(absl::StrCat("more than ", kMaxFrameFiles, " files"));
    if (!IsSafePath(file.path)) return Bad(absl::StrCat(Quoted(file.path), " is no path below a model's folder"));
    if (!paths_.insert(file.path).second) return Bad(absl::StrCat("two files ", Quoted(file.path)));
    if (file.size > kMaxUint64 - files_size_) return Bad("the sizes of its files do not fit 64 bits");
    files_size_ += file.size;
    structure_.files.push_back(std::move(file));
    return absl::OkStatus();
  }

  absl::string_view what_;
  uint64_t data_size_;
  uint64_t data_offset_ = 0;
  uint64_t opaque_left_;
  uint64_t opaque_size_ = 0;
  uint64_t files_size_ = 0;
  uint64_t woven_ = 0;  // The first tensor that the next weave may have.
  std::set<std::string> paths_;
  ModelStructure structure_;
};

// The message for a structure whose tensors and pieces are in order.
ModelFrame ToMessage(const ModelStructure& structure) {
  ModelFrame frame;
  frame.set_format(structure.format);
  frame.set_whole_file(structure.whole_file);
  for (const FilePart& file : structure.files) {
    FramedFile* const framed = frame.add_files();
    framed->set_path(file.path);
    framed->set_size(file.size);
  }
  auto piece = structure.pieces.begin();
  for (const ModelTensor& tensor : structure.tensors) {
    FramedTensor* const framed = frame.add_tensors();
    framed->set_name(tensor.name);
    framed->set_dtype(static_cast<uint32_t>(tensor.dtype));
    framed->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    uint64_t gap = 0;
    for (; piece != structure.pieces.end() && piece->data_offset == tensor.begin; ++piece) gap += piece->size;
    framed->set_gap(gap);
    if (tensor.dtype != DType::kOpaque) continue;
    framed->set_size(tensor.size());
    framed->set_type(tensor.opaque_type);
    framed->set_bits(tensor.opaque_bits);
  }
  uint64_t tail = 0;
  for (; piece != structure.pieces.end(); ++piece) tail += piece->size;
  frame.set_tail(tail);
  for (const Weave& weave : structure.weaves) {
    FrameWeave* const framed = frame.add_weaves();
    const auto first =
        std::lower_bound(structure.tensors.begin(), structure.tensors.end(), weave.data_offset,
                         [](const ModelTensor& tensor, uint64_t offset) { return tensor.begin < offset; });
    framed->set_first_tensor(static_cast<uint64_t>(first - structure.tensors.begin()));
    framed->mutable_parts()->Add(weave.parts.begin(), weave.parts.end());
  }
  return frame;
}

}  // namespace

uint64_t DescriptionSize(absl::string_view frame) {
  if (!DescribesItself(frame)) return 0;
  if (frame.size() < kFrameHeadSize) return frame.size();
  const uint64_t size = kFrameHeadSize + uint64_t{LoadLe32(BytesOf(frame).data() + kDescriptionSizeField.offset)};
  return std::min<uint64_t>(size, frame.size());
}

bool IsFrameText(absl::string_view text) {
  const ByteView bytes = {BytesOf(text).data(), text.size()};
  uint32_t character = 0;
  for (size_t at = 0; at < text.size();) {
    if (!ReadUtf8(bytes, &at, &character) || character == 0) return false;
  }
  return true;
}

bool IsSafePath(absl::string_view path) {
  if (path.empty() || path.size() > kMaxFrameNameSize) return false;
  const bool plain = IsFrameText(path) && std::none_of(path.begin(), path.end(), [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == '\x7f' || c == '\\' || c == ':';
                     });
  if (!plain) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](absl::string_view part) { return part.empty() || part == "." || part == ".."; });
}

absl::StatusOr<std::string> EncodeDescription(const ModelStructure& structure, absl::string_view what) {
  const ModelFrame message = ToMessage(structure);
  std::string frame(reinterpret_cast<const char*>(kFrameMagic), sizeof(kFrameMagic));
  frame.resize(kFrameHeadSize);
  {
    google::protobuf::io::StringOutputStream stream(&frame);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    if (!message.SerializeToCodedStream(&out)) {
      return absl::InternalError(absl::StrCat(what, ": cannot serialise the frame"));
    }
  }
  if (frame.size() - kFrameHeadSize > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": the description of its tensors takes more than 2 GiB"));
  }
  StoreLe32(reinterpret_cast<uint8_t*>(frame.data()) + kDescriptionSizeField.offset,
            static_cast<uint32_t>(frame.size() - kFrameHeadSize));
  // What no reader would take is found here, not in a vault. The opaque bytes are looked at by their number only.
  uint64_t opaque = 0;
  for (const FramePiece& piece : structure.pieces) opaque += piece.size;
  const uint64_t data_size = structure.tensors.empty() ? 0 : structure.tensors.back().end;
  ModelFrame parsed;
  if (!parsed.ParseFromArray(frame.data() + kFrameHeadSize, static_cast<int>(frame.size() - kFrameHeadSize))) {
    return absl::InternalError(absl::StrCat(what, ": the frame does not come back"));
  }
  const absl::StatusOr<ModelStructure> read = Reader(what, data_size, opaque).Read(&parsed);
  if (!read.ok()) return read.status();
  return frame;
}

absl::StatusOr<ModelStructure> ParseDescribedFrame(absl::string_view frame, uint64_t data_size,
                                                   absl::string_view what) {
  const auto bad = [&](absl::string_view problem) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": bad frame: ", problem));
  };
  if (!DescribesItself(frame)) return bad("it does not describe itself");
  if (frame.size() < kFrameHeadSize) return bad(absl::StrCat(frame.size(), " bytes, not even its head"));
  const uint32_t size = LoadLe32(BytesOf(frame).data() + kDescriptionSizeField.offset);
  const uint64_t behind = frame.size() - kFrameHeadSize;
  if (size > behind || size > static_cast<uint32_t>(std::numeric_limits<int>::max())) {
    return bad(absl::StrCat("a description of ", size, " bytes, ", behind, " follow"));
  }
  ModelFrame message;
  if (!message.ParseFromArray(frame.data() + kFrameHeadSize, static_cast<int>(size))) {
    return bad(absl::StrCat("its description of ", size, " bytes does not parse"));
  }
  absl::StatusOr<ModelStructure> structure = Reader(what, data_size, behind - size).Read(&message);
  if (structure.ok()) structure->description_size = kFrameHeadSize + size;
  return structure;
}

}  // namespace modelvault
