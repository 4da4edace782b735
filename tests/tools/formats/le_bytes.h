#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_LE_BYTES_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_LE_BYTES_H_

#include <cstdint>
#include <string>

namespace modelvault {

// The lowest `bytes` bytes of a number, the lowest first.
inline std::string LeBytes(uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(i < 8 ? static_cast<char>(number >> (8 * i)) : '\0');
  return text;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_LE_BYTES_H_
