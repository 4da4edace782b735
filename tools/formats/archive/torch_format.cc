#include "tools/formats/archive/torch_format.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tools/formats/archive/torch_pickle.h"
#include "tools/formats/archive/zip_members.h"

namespace modelvault {
namespace {

// The number that a pickle of the time before archives begins with.
constexpr uint8_t kLegacyMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
constexpr absl::string_view kPickle = "/data.pkl";
constexpr absl::string_view kByteOrder = "/byteorder";
constexpr uint64_t kMaxPickleSize = 16 << 20;  // More says nothing of the tensors.

struct StorageClass {
  absl::string_view name;
  DType dtype;
};
constexpr StorageClass kClasses[] = {
    {"FloatStorage", DType::kF32},  {"HalfStorage", DType::kF16}, {"BFloat16Storage", DType::kBf16},
    {"DoubleStorage", DType::kF64}, {"CharStorage", DType::kI8},  {"ByteStorage", DType::kU8},
    {"ShortStorage", DType::kI16},  {"IntStorage", DType::kI32},  {"LongStorage", DType::kI64},
    {"BoolStorage", DType::kBool},
};

bool BeginsLegacy(absl::Span<const uint8_t> head) {
  return head.size() >= sizeof(kLegacyMagic) &&
         std::equal(std::begin(kLegacyMagic), std::end(kLegacyMagic), head.begin());
}

// The bytes of the member of this name; none where there is none that is stored, or it has more than `most`.
absl::StatusOr<std::string> ReadMember(const RandomAccessFile& file, const std::vector<ZipMember>& members,
                                       const std::string& name, uint64_t most) {
  const auto member = std::find_if(members.begin(), members.end(), [&](const ZipMember& m) { return m.name == name; });
  if (member == members.end() || !member->stored || member->size > most) return std::string();
  std::string bytes(static_cast<size_t>(member->size), '\0');
  absl::Status status =
      file.ReadAt(member->offset, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()));
  if (!status.ok()) return status;
  return bytes;
}

// What a storage's bytes are, as far as the pickle tells and they agree.
ModelTensor Typed(const ZipMember& member, const std::string& key, const std::map<std::string, TorchStorage>& known) {
  ModelTensor tensor;
  tensor.name = absl::StrCat("data/", key);
  tensor.begin = member.offset;
  tensor.end = member.offset + member.size;
  tensor.opaque_type = "bytes";
  const auto storage = known.find(key);
  if (storage == known.end()) return tensor;
  const auto* const found = std::find_if(std::begin(kClasses), std::end(kClasses),
                                         [&](const StorageClass& c) { return c.name == storage->second.type; });
  if (found == std::end(kClasses)) return tensor;
  const uint64_t element = ElementSize(static_cast<uint8_t>(found->dtype));
  const TorchStorage& said = storage->second;
  if (member.size % element != 0 || member.size / element != said.elements) return tensor;
  tensor.opaque_type.clear();
  tensor.dtype = found->dtype;
  if (said.tensor.empty()) {
    tensor.shape = {said.elements};
  } else {
    tensor.name = said.tensor;
    tensor.shape = said.shape;
  }
  return tensor;
}

}  // namespace

bool TorchFormat::Recognises(absl::Span<const uint8_t> head) const {
  // All members are in a folder, which is called as the file was.
  return BeginsLegacy(head) || absl::StrContains(FirstZipMember(head), "/");
}

absl::StatusOr<std::vector<TypedRange>> TorchFormat::ReadRanges(const RandomAccessFile& file,
                                                                const std::vector<FilePart>&) const {
  std::vector<uint8_t> head(static_cast<size_t>(std::min<uint64_t>(file.size(), sizeof(kLegacyMagic))));
  if (absl::Status status = file.ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  if (BeginsLegacy(head)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(),
                     ": a PyTorch file of the time before 1.6, one pickle from offset 0 on, which is never "
                     "read; save it anew with torch.save, or as safetensors"));
  }
  const absl::StatusOr<std::vector<ZipMember>> members = ReadZipMembers(file);
  if (!members.ok()) return members.status();
  const auto pickle = std::find_if(members->begin(), members->end(),
                                   [](const ZipMember& member) { return absl::EndsWith(member.name, kPickle); });
  if (pickle == members->end()) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": a ZIP archive of ", members->size(),
                                                   " members, but not PyTorch's: none is called FOLDER", kPickle));
  }
  const std::string folder(absl::StripSuffix(pickle->name, kPickle));
  const absl::StatusOr<std::string> order = ReadMember(file, *members, absl::StrCat(folder, kByteOrder), 16);
  if (!order.ok()) return order.status();
  const absl::StatusOr<std::string> instructions = ReadMember(file, *members, pickle->name, kMaxPickleSize);
  if (!instructions.ok()) return instructions.status();
  std::map<std::string, TorchStorage> known;
  if (*order != "big") {
    known = ReadTorchPickle({reinterpret_cast<const uint8_t*>(instructions->data()), instructions->size()});
  }
  std::vector<TypedRange> ranges;
  const std::string data = absl::StrCat(folder, "/data/");
  for (const ZipMember& member : *members) {
    absl::string_view key = member.name;
    if (!member.stored || !absl::ConsumePrefix(&key, data)) continue;
    ranges.push_back({Typed(member, std::string(key), known), {}});
  }
  return ranges;
}

}  // namespace modelvault
