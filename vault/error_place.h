// Where something is wrong, as programs want it: messages tell it to people, a payload of the status to programs.
#ifndef MODELVAULT_VAULT_ERROR_PLACE_H_
#define MODELVAULT_VAULT_ERROR_PLACE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// What an error says of its place; each may be missing.
struct ErrorPlace {
  std::optional<uint64_t> file_offset;  // In the file: of the damaged part, or of the read that failed.
  std::optional<uint64_t> data_offset;  // In a model's data section, of the first byte that was not restored.
};

// Puts the file's name before what went wrong inside it; no place comes with it. OK stays OK.
absl::Status InFile(absl::string_view path, const absl::Status& status);

// Adds the place to an error. One that is known already stays: the first to tell was nearest.
absl::Status AtFileOffset(absl::Status status, uint64_t offset);
absl::Status AtDataOffset(absl::Status status, uint64_t offset);

ErrorPlace PlaceOf(const absl::Status& status);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_ERROR_PLACE_H_
