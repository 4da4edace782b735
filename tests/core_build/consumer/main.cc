#include <cstdio>

#include "codec/core/xxh64.h"

int main() {
  const uint8_t abc[] = {'a', 'b', 'c'};
  // The value of the xxHash specification's own test.
  if (modelvault::Xxh64::Of({abc, sizeof(abc)}) != 0x44BC2CF5AD770999u) return 1;
  std::puts("consumer: ok");
  return 0;
}
