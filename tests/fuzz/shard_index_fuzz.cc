// Any bytes as the index of a model in shards.
#include "tests/fuzz/shard_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzShardIndex({data, data + size}));
  return 0;
}
