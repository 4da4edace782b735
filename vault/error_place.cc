#include "vault/error_place.h"

#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace modelvault {
namespace {

constexpr char kFileOffset[] = "modelvault/file-offset";
constexpr char kDataOffset[] = "modelvault/data-offset";

absl::Status At(absl::Status status, absl::string_view what, uint64_t offset) {
  if (!status.ok() && !status.GetPayload(what).has_value()) {
    status.SetPayload(what, absl::Cord(absl::StrCat(offset)));
  }
  return status;
}

std::optional<uint64_t> OffsetIn(const absl::Status& status, absl::string_view what) {
  const absl::optional<absl::Cord> payload = status.GetPayload(what);
  uint64_t offset = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &offset)) return std::nullopt;
  return offset;
}

}  // namespace

absl::Status InFile(absl::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::Status AtFileOffset(absl::Status status, uint64_t offset) { return At(std::move(status), kFileOffset, offset); }

absl::Status AtDataOffset(absl::Status status, uint64_t offset) { return At(std::move(status), kDataOffset, offset); }

ErrorPlace PlaceOf(const absl::Status& status) {
  return {OffsetIn(status, kFileOffset), OffsetIn(status, kDataOffset)};
}

}  // namespace modelvault
