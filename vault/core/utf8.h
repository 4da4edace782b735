// Characters of UTF-8, one after the other. Core code: built unchanged for host and board.
#ifndef MODELVAULT_VAULT_CORE_UTF8_H_
#define MODELVAULT_VAULT_CORE_UTF8_H_

#include <stddef.h>
#include <stdint.h>

#include "codec/core/bytes.h"

namespace modelvault {

// Reads the character at `*at` < text.size and steps over it; false, and nothing changes, for overlong forms,
// surrogates, numbers past U+10FFFF and cut or stray bytes.
inline bool ReadUtf8(ByteView text, size_t* at, uint32_t* character) {
  const uint8_t lead = text.data[*at];
  if (lead < 0x80) {
    *character = lead;
    ++*at;
    return true;
  }
  const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || more >= text.size - *at) return false;
  uint32_t value = lead & (0x3Fu >> more);
  for (size_t i = 1; i <= more; ++i) {
    const uint8_t byte = text.data[*at + i];
    if ((byte & 0xC0) != 0x80) return false;
    value = (value << 6) | (byte & 0x3Fu);
  }
  if (more == 2 && (value < 0x800 || (value >= 0xD800 && value <= 0xDFFF))) return false;
  if (more == 3 && (value < 0x10000 || value > 0x10FFFF)) return false;
  *character = value;
  *at += 1 + more;
  return true;
}

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_UTF8_H_
