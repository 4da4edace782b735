#include "vault/refusal.h"

#include <string>

#include "absl/strings/cord.h"

namespace modelvault {
namespace {

constexpr char kRefusal[] = "modelvault/refusal";

}  // namespace

absl::Status Refused(Refusal why, absl::string_view message) {
  absl::Status status = absl::PermissionDeniedError(message);
  status.SetPayload(kRefusal, absl::Cord(std::string(1, static_cast<char>(why))));
  return status;
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  if (!absl::IsPermissionDenied(status)) return std::nullopt;
  const absl::optional<absl::Cord> payload = status.GetPayload(kRefusal);
  if (!payload.has_value() || payload->size() != 1) return Refusal::kUntrusted;
  return static_cast<Refusal>(std::string(*payload)[0]);
}

}  // namespace modelvault
