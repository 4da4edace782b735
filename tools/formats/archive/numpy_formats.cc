#include "tools/formats/archive/numpy_formats.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "tools/formats/archive/npy_array.h"
#include "tools/formats/archive/zip_members.h"

namespace modelvault {
namespace {

constexpr absl::string_view kArraySuffix = ".npy";

}  // namespace

bool NpyFormat::Recognises(absl::Span<const uint8_t> head) const { return BeginsNpy(head); }

absl::StatusOr<std::vector<TypedRange>> NpyFormat::ReadRanges(const RandomAccessFile& file,
                                                              const std::vector<FilePart>&) const {
  absl::StatusOr<TypedRange> array = ReadNpy(file, "array", 0, file.size());
  if (!array.ok()) return array.status();
  return std::vector<TypedRange>{*std::move(array)};
}

bool NpzFormat::Recognises(absl::Span<const uint8_t> head) const {
  return absl::EndsWith(FirstZipMember(head), kArraySuffix);
}

absl::StatusOr<std::vector<TypedRange>> NpzFormat::ReadRanges(const RandomAccessFile& file,
                                                              const std::vector<FilePart>&) const {
  const absl::StatusOr<std::vector<ZipMember>> members = ReadZipMembers(file);
  if (!members.ok()) return members.status();
  std::vector<TypedRange> ranges;
  for (const ZipMember& member : *members) {
    absl::string_view name = member.name;
    if (!member.stored || !absl::ConsumeSuffix(&name, kArraySuffix)) continue;
    absl::StatusOr<TypedRange> array = ReadNpy(file, std::string(name), member.offset, member.size);
    if (!array.ok()) return array.status();
    ranges.push_back(*std::move(array));
  }
  return ranges;
}

}  // namespace modelvault
