// Digests, keys and ids as people see them.
#ifndef MODELVAULT_VAULT_HEX_TEXT_H_
#define MODELVAULT_VAULT_HEX_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace modelvault {

// Two lowercase hexadecimal digits a byte.
inline std::string HexText(absl::Span<const uint8_t> bytes) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_HEX_TEXT_H_
