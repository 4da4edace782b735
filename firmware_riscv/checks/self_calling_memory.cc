// Never linked into anything: a memset that the compiler turns into a call of itself, for memory_calls_test.sh to see.
#include <stddef.h>

extern "C" void* memset(void* to, int value, size_t size);

void* memset(void* to, int value, size_t size) {
  for (size_t i = 0; i < size; ++i) static_cast<unsigned char*>(to)[i] = static_cast<unsigned char>(value);
  return to;
}
