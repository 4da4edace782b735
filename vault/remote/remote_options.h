// How vaults behind URLs are read.
#ifndef MODELVAULT_VAULT_REMOTE_REMOTE_OPTIONS_H_
#define MODELVAULT_VAULT_REMOTE_REMOTE_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace modelvault {

struct RemoteOptions {
  // A request that fails is repeated until so many in a row have failed; one that brought 16 KiB does not count.
  int tries = 5;
  int first_pause_ms = 500;      // Before the first repetition; each later one waits twice as long.
  int longest_pause_ms = 60000;  // A server that asks for more (Retry-After) is not waited for.
  int stall_seconds = 30;        // Without 1 KiB a second for so long, a request has failed.

  int connections = 3;
  uint64_t part_size = uint64_t{16} << 20;  // Bytes of a request at most; also of a file that is taken whole.
  uint64_t window = uint64_t{64} << 20;     // Bytes in memory, at least part_size; more only if more readers wait.

  std::string cache_folder;                  // Empty: no cache.
  uint64_t cache_limit = uint64_t{4} << 30;  // Bytes of its files.

  // The defaults, with MODELVAULT_CACHE as the cache's folder and MODELVAULT_CACHE_SIZE, in bytes, as its limit, where
  // the environment has them. kInvalidArgument for a size that is no number.
  static absl::StatusOr<RemoteOptions> FromEnvironment();
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_REMOTE_OPTIONS_H_
