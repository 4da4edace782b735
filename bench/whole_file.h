// Small files in one piece.
#ifndef MODELVAULT_BENCH_WHOLE_FILE_H_
#define MODELVAULT_BENCH_WHOLE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault::bench {

absl::StatusOr<std::string> ReadWholeFile(FileSystem& file_system, const std::string& path);

// Without fsync, as the tools it is measured beside.
absl::Status WriteWholeFile(const std::string& path, absl::string_view bytes);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_WHOLE_FILE_H_
