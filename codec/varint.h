// Writes what ByteReader::ReadVarint reads.
#ifndef MODELVAULT_CODEC_VARINT_H_
#define MODELVAULT_CODEC_VARINT_H_

#include <cstdint>
#include <string>

namespace modelvault {

// Unsigned LEB128 in its shortest form.
inline void AppendVarint(std::string* out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out->push_back(static_cast<char>((v & 0x7F) | 0x80));
  out->push_back(static_cast<char>(v));
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_VARINT_H_
