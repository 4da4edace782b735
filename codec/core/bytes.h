// Views of caller-owned bytes and unaligned little-endian loads. Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_BYTES_H_
#define MODELVAULT_CODEC_CORE_BYTES_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace modelvault {

// Bytes somebody else owns; never outlives them.
struct ByteView {
  const uint8_t* data = nullptr;
  size_t size = 0;

  // The bytes [offset, offset + length). The caller has checked that they exist.
  ByteView Sub(size_t offset, size_t length) const { return {data + offset, length}; }
};

struct ByteSpan {
  uint8_t* data = nullptr;
  size_t size = 0;
};

inline uint16_t LoadLe16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | (p[1] << 8)); }

inline uint32_t LoadLe32(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) | (static_cast<uint32_t>(p[1]) << 8) | (static_cast<uint32_t>(p[2]) << 16) |
         (static_cast<uint32_t>(p[3]) << 24);
}

// The same in one load, also on a machine without unaligned ones: `p` is a multiple of 2, or of 4.
inline uint16_t LoadAligned16(const uint8_t* p) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint16_t half;
  memcpy(&half, __builtin_assume_aligned(p, 2), sizeof(half));
  return half;
#else
  return LoadLe16(p);
#endif
}
inline uint32_t LoadAligned32(const uint8_t* p) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint32_t word;
  memcpy(&word, __builtin_assume_aligned(p, 4), sizeof(word));
  return word;
#else
  return LoadLe32(p);
#endif
}

inline uint64_t LoadLe64(const uint8_t* p) {
  return static_cast<uint64_t>(LoadLe32(p)) | (static_cast<uint64_t>(LoadLe32(p + 4)) << 32);
}

inline void StoreLe16(uint8_t* p, uint16_t v) {
  p[0] = static_cast<uint8_t>(v);
  p[1] = static_cast<uint8_t>(v >> 8);
}

inline void StoreLe32(uint8_t* p, uint32_t v) {
  StoreLe16(p, static_cast<uint16_t>(v));
  StoreLe16(p + 2, static_cast<uint16_t>(v >> 16));
}

inline void StoreLe64(uint8_t* p, uint64_t v) {
  StoreLe32(p, static_cast<uint32_t>(v));
  StoreLe32(p + 4, static_cast<uint32_t>(v >> 32));
}

// The same in one store: `p` is a multiple of 4.
inline void StoreAligned32(uint8_t* p, uint32_t v) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy(__builtin_assume_aligned(p, 4), &v, sizeof(v));
#else
  StoreLe32(p, v);
#endif
}

// A 64-bit size or offset, for this machine; false if it is beyond what size_t can hold.
inline bool LoadSize(const uint8_t* p, size_t* out) {
  const uint64_t value = LoadLe64(p);
  *out = static_cast<size_t>(value);
  return value <= SIZE_MAX;
}

// A bounds-checked forward reader. Every Read* returns false, and leaves the position alone, when the bytes are not
// there or not in canonical form.
class ByteReader {
 public:
  explicit ByteReader(ByteView view) : view_(view) {}

  size_t position() const { return position_; }
  size_t remaining() const { return view_.size - position_; }

  [[nodiscard]] bool ReadU8(uint8_t* out) {
    if (remaining() < 1) return false;
    *out = view_.data[position_++];
    return true;
  }

  [[nodiscard]] bool ReadBytes(size_t length, ByteView* out) {
    if (length > remaining()) return false;
    *out = view_.Sub(position_, length);
    position_ += length;
    return true;
  }

  // Unsigned LEB128 in its shortest form, at most 64 bits.
  [[nodiscard]] bool ReadVarint(uint64_t* out) {
    uint64_t value = 0;
    size_t at = position_;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at == view_.size) return false;
      const uint8_t byte = view_.data[at++];
      const uint64_t bits = byte & 0x7F;
      if (shift == 63 && bits > 1) return false;
      value |= bits << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift != 0) return false;  // A longer form than needed.
        *out = value;
        position_ = at;
        return true;
      }
    }
    return false;
  }

  // The same, for what counts bytes or things on this machine; `*out` is SIZE_MAX for anything larger.
  [[nodiscard]] bool ReadSize(size_t* out) {
    // Nearly always one byte or two, and a 32-bit machine has no quick 64-bit shifts.
    const uint8_t* const p = view_.data + position_;
    if (remaining() >= 2 && (p[0] < 0x80 || (p[1] > 0 && p[1] < 0x80))) {
      const bool one = p[0] < 0x80;
      *out = one ? p[0] : (p[0] & 0x7Fu) | (static_cast<size_t>(p[1]) << 7);
      position_ += one ? 1 : 2;
      return true;
    }
    uint64_t value;
    if (!ReadVarint(&value)) return false;
    *out = value > SIZE_MAX ? SIZE_MAX : static_cast<size_t>(value);
    return true;
  }

 private:
  ByteView view_;
  size_t position_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_BYTES_H_
