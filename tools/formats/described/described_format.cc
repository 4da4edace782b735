#include "tools/formats/described/described_format.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "restore/described_frame.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

// What a range has to say when it is at fault.
std::string Named(const RandomAccessFile& file, const ModelTensor& tensor) {
  return absl::StrCat(file.path(), ": tensor ", Quoted(tensor.name), " at offset ", tensor.begin, ": ");
}

// `size` bytes for a tensor of this type and shape.
absl::Status CheckShape(const std::string& named, const ModelTensor& tensor, uint64_t size) {
  const std::optional<uint64_t> elements = ElementCount(tensor.shape);
  const uint64_t bits = tensor.element_bits();
  const std::string shape = absl::StrCat("[", absl::StrJoin(tensor.shape, ", "), "]");
  if (tensor.shape.size() > kMaxFrameRank) {
    return absl::InvalidArgumentError(
        absl::StrCat(named, tensor.shape.size(), " dimensions, at most ", kMaxFrameRank, " are taken"));
  }
  if (!elements.has_value() || (bits > 0 && *elements > (std::numeric_limits<uint64_t>::max() - 7) / bits)) {
    return absl::InvalidArgumentError(absl::StrCat(named, "the elements of ", shape, " do not fit 64 bits"));
  }
  if (bits == 0 || (*elements * bits + 7) / 8 == size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(named, size, " bytes, but ", tensor.type_name(), " ", shape, " has ", (*elements * bits + 7) / 8));
}

absl::Status CheckRange(const RandomAccessFile& file, const TypedRange& range) {
  const ModelTensor& tensor = range.tensor;
  const std::string named = Named(file, tensor);
  if (tensor.begin > tensor.end || tensor.end > file.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(named, "bytes up to ", tensor.end, ", but the file has ", file.size()));
  }
  if (range.parts.empty()) return CheckShape(named, tensor, tensor.size());
  uint64_t block = 0;
  for (const WovenPart& part : range.parts) block += part.bytes;
  if (block == 0 || tensor.size() % block != 0) {
    return absl::InvalidArgumentError(absl::StrCat(named, tensor.size(), " bytes are not blocks of ", block));
  }
  for (const WovenPart& part : range.parts) {
    absl::Status status = CheckShape(named, part.tensor, tensor.size() / block * part.bytes);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Sorts the ranges and drops what says nothing new.
absl::Status Sort(const RandomAccessFile& file, std::vector<TypedRange>* ranges) {
  for (const TypedRange& range : *ranges) {
    if (absl::Status status = CheckRange(file, range); !status.ok()) return status;
  }
  std::erase_if(*ranges, [](const TypedRange& range) { return range.tensor.size() == 0; });
  std::stable_sort(ranges->begin(), ranges->end(), [](const TypedRange& a, const TypedRange& b) {
    return std::make_pair(a.tensor.begin, a.tensor.end) < std::make_pair(b.tensor.begin, b.tensor.end);
  });
  const auto same = [](const TypedRange& a, const TypedRange& b) {
    return a.tensor.begin == b.tensor.begin && a.tensor.end == b.tensor.end;
  };
  ranges->erase(std::unique(ranges->begin(), ranges->end(), same), ranges->end());
  for (size_t i = 1; i < ranges->size(); ++i) {
    const ModelTensor& before = (*ranges)[i - 1].tensor;
    const ModelTensor& tensor = (*ranges)[i].tensor;
    if (tensor.begin >= before.end) continue;
    return absl::InvalidArgumentError(absl::StrCat(Named(file, tensor), "overlaps tensor ", Quoted(before.name),
                                                   ", which has the bytes ", before.begin, " to ", before.end));
  }
  return absl::OkStatus();
}

// Gives tensors names that differ from one another.
class NameGiver {
 public:
  std::string Unique(const std::string& wanted) {
    constexpr size_t kMostWanted = kMaxFrameNameSize - 24;  // Room for a number.
    const bool keep = wanted.size() <= kMostWanted && IsFrameText(wanted);
    const std::string name = keep ? wanted : absl::CHexEscape(wanted.substr(0, kMostWanted / 4));
    for (size_t& number = numbers_[name];;) {
      std::string tried = ++number == 1 ? name : absl::StrCat(name, "#", number);
      if (!tried.empty() && names_.insert(tried).second) return tried;
    }
  }

 private:
  std::set<std::string> names_;
  std::map<std::string, size_t> numbers_;  // The last that was tried: a million tensors of one name take no longer.
};

// A structure growing along the file.
class Describer {
 public:
  Describer(const FrameOptions& options, absl::string_view format) : whole_file_(options.whole_file) {
    structure_.files = options.files;
    structure_.format = std::string(format);
    structure_.whole_file = options.whole_file;
  }

  // Everything up to `end` that no tensor has.
  void FillTo(uint64_t end) {
    const uint64_t size = end - file_offset_;
    if (size == 0) return;
    if (whole_file_ || size > kMaxFramePiece) {
      ModelTensor opaque;
      opaque.name = absl::StrCat("bytes.", ++opaque_tensors_);
      opaque.opaque_type = "bytes";
      Add(std::move(opaque), size);
    } else {
      structure_.pieces.push_back({data_offset_, size});
      kept_.push_back({file_offset_, size});
      file_offset_ = end;
    }
  }

  void AddRange(TypedRange range) {
    FillTo(range.tensor.begin);
    const uint64_t size = range.tensor.size();
    if (range.parts.empty() || size > kMaxWeaveSize) return Add(std::move(range.tensor), size);
    Weave weave;
    weave.data_offset = data_offset_;
    for (const WovenPart& part : range.parts) weave.parts.push_back(part.bytes);
    weave.blocks = size / weave.block_size();
    for (WovenPart& part : range.parts) Add(std::move(part.tensor), weave.blocks * part.bytes);
    structure_.weaves.push_back(std::move(weave));
  }

  absl::StatusOr<std::string> Finish(const RandomAccessFile& file) {
    absl::StatusOr<std::string> frame = EncodeDescription(structure_, file.path());
    if (!frame.ok()) return frame;
    for (const auto& [offset, size] : kept_) {
      const size_t at = frame->size();
      frame->resize(at + static_cast<size_t>(size));
      const absl::Span<uint8_t> out(reinterpret_cast<uint8_t*>(frame->data()) + at, static_cast<size_t>(size));
      if (absl::Status status = file.ReadAt(offset, out); !status.ok()) return status;
    }
    return frame;
  }

 private:
  void Add(ModelTensor tensor, uint64_t size) {
    tensor.name = names_.Unique(tensor.name);
    tensor.begin = data_offset_;
    tensor.end = data_offset_ += size;
    file_offset_ += size;
    structure_.tensors.push_back(std::move(tensor));
  }

  bool whole_file_;
  ModelStructure structure_;
  NameGiver names_;
  std::vector<std::pair<uint64_t, uint64_t>> kept_;  // Offset and size in the file of what goes into the frame.
  uint64_t file_offset_ = 0;
  uint64_t data_offset_ = 0;
  size_t opaque_tensors_ = 0;
};

}  // namespace

absl::StatusOr<std::string> DescribeFrame(const RandomAccessFile& file, absl::string_view format,
                                          std::vector<TypedRange> ranges, const FrameOptions& options) {
  if (absl::Status status = Sort(file, &ranges); !status.ok()) return status;
  Describer describer(options, format);
  for (TypedRange& range : ranges) describer.AddRange(std::move(range));
  describer.FillTo(file.size());
  return describer.Finish(file);
}

absl::StatusOr<std::string> DescribedFormat::ReadFrame(const RandomAccessFile& file,
                                                       const FrameOptions& options) const {
  absl::StatusOr<std::vector<TypedRange>> ranges = ReadRanges(file, options.files);
  if (!ranges.ok()) return ranges.status();
  return DescribeFrame(file, name(), *std::move(ranges), options);
}

}  // namespace modelvault
