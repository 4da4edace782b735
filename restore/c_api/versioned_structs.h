// Structs of the C interface begin with their size as the caller knows them, so that later versions can add members at
// the end: what a caller does not know is not written, what the library does not know must be zero.
#ifndef MODELVAULT_RESTORE_C_API_VERSIONED_STRUCTS_H_
#define MODELVAULT_RESTORE_C_API_VERSIONED_STRUCTS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// kInvalidArgument for a size that no version of the struct had. All of T's members were there from the first on.
template <typename T>
absl::Status CheckStructSize(const T& value, absl::string_view what) {
  if (value.struct_size >= sizeof(T)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, "->struct_size: expected ", sizeof(T), ", found ", value.struct_size));
}

// Copies a caller's struct.
template <typename T>
absl::Status CopyFromCaller(const T& from, absl::string_view what, T* to) {
  if (absl::Status status = CheckStructSize(from, what); !status.ok()) return status;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&from);
  if (std::any_of(bytes + sizeof(T), bytes + from.struct_size, [](uint8_t byte) { return byte != 0; })) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has members that this version of the library does not know"));
  }
  *to = from;
  return absl::OkStatus();
}

// Fills a caller's struct, whose struct_size says how much there is to fill.
template <typename T>
absl::Status CopyToCaller(T from, absl::string_view what, T* to) {
  if (absl::Status status = CheckStructSize(*to, what); !status.ok()) return status;
  from.struct_size = to->struct_size;
  *to = from;
  std::memset(reinterpret_cast<uint8_t*>(to) + sizeof(T), 0, from.struct_size - sizeof(T));
  return absl::OkStatus();
}

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_C_API_VERSIONED_STRUCTS_H_
