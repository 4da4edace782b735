// The four functions the compiler may call on its own. Simple rather than fast: what has to be fast in the core does
// not go through them.
#include <stddef.h>
#include <stdint.h>

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);

// Without this the compiler may recognise the loops below and turn each into a call of itself.
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_builtin("memcpy", "memmove", "memset", "memcmp"))), apply_to = function)
#else
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

void* memcpy(void* __restrict to, const void* __restrict from, size_t size) {
  uint8_t* out = static_cast<uint8_t*>(to);
  const uint8_t* in = static_cast<const uint8_t*>(from);
  if ((reinterpret_cast<uintptr_t>(out) & 3) == 0 && (reinterpret_cast<uintptr_t>(in) & 3) == 0) {
    typedef uint32_t __attribute__((may_alias)) Word;
    for (; size >= 16; size -= 16, out += 16, in += 16) {
      const Word* const source = reinterpret_cast<const Word*>(in);
      Word* const target = reinterpret_cast<Word*>(out);
      const Word a = source[0], b = source[1], c = source[2], d = source[3];
      target[0] = a;
      target[1] = b;
      target[2] = c;
      target[3] = d;
    }
    for (; size >= 4; size -= 4, out += 4, in += 4) *reinterpret_cast<Word*>(out) = *reinterpret_cast<const Word*>(in);
  }
  for (; size > 0; --size) *out++ = *in++;
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  uint8_t* out = static_cast<uint8_t*>(to);
  const uint8_t* in = static_cast<const uint8_t*>(from);
  if (reinterpret_cast<uintptr_t>(out) <= reinterpret_cast<uintptr_t>(in)) return memcpy(to, from, size);
  while (size > 0) {
    --size;
    out[size] = in[size];
  }
  return to;
}

void* memset(void* to, int value, size_t size) {
  uint8_t* out = static_cast<uint8_t*>(to);
  uint8_t* const end = out + size;
  if ((reinterpret_cast<uintptr_t>(out) & 3) == 0) {
    typedef uint32_t __attribute__((may_alias)) Word;
    const uint32_t word = 0x01010101u * static_cast<uint8_t>(value);
    for (; end - out >= 4; out += 4) *reinterpret_cast<Word*>(out) = word;
  }
  for (; out != end; ++out) *out = static_cast<uint8_t>(value);
  return to;
}

int memcmp(const void* a, const void* b, size_t size) {
  const uint8_t* left = static_cast<const uint8_t*>(a);
  const uint8_t* right = static_cast<const uint8_t*>(b);
  for (size_t i = 0; i < size; ++i) {
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return 0;
}

#ifdef __clang__
#pragma clang attribute pop
#endif

}  // extern "C"
