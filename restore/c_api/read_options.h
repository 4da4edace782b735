// mv_read_options as the library works with them, and the way that restored bytes take to a caller.
#ifndef MODELVAULT_RESTORE_C_API_READ_OPTIONS_H_
#define MODELVAULT_RESTORE_C_API_READ_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "restore/c_api/include/modelvault/modelvault.h"

namespace modelvault {

class ReadOptions {
 public:
  // Null stands for the defaults. kInvalidArgument for what is no options.
  static absl::StatusOr<ReadOptions> From(const mv_read_options* options);

  // As RestoreOptions::threads.
  int threads() const { return options_.threads < 0 ? 0 : options_.threads == 0 ? 1 : options_.threads; }
  // kCancelled if the caller's callback says so.
  absl::Status Report(uint64_t done, uint64_t total) const;

 private:
  explicit ReadOptions(const mv_read_options& options) : options_(options) {}

  mv_read_options options_;
};

// Hands `total` bytes over, in order, and tells of progress.
class Delivery {
 public:
  using Taker = std::function<absl::Status(uint64_t offset, absl::Span<const uint8_t> bytes)>;

  // `options` must outlive it.
  Delivery(const ReadOptions* options, uint64_t total, Taker take)
      : options_(options), total_(total), take_(std::move(take)) {}

  absl::Status Put(absl::Span<const uint8_t> bytes);
  // Once all were put.
  absl::Status Finish() { return total_ == 0 ? options_->Report(0, 0) : absl::OkStatus(); }

  // Takers: into memory of `total` bytes; into a caller's callback; none.
  static Taker IntoBuffer(void* buffer);
  static Taker IntoCallback(mv_write_function write, void* context);
  static Taker IntoNothing();

 private:
  const ReadOptions* options_;
  uint64_t total_;
  Taker take_;
  uint64_t done_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_C_API_READ_OPTIONS_H_
