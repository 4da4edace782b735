#include "restore/c_api/read_options.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "restore/c_api/versioned_structs.h"

namespace modelvault {

absl::StatusOr<ReadOptions> ReadOptions::From(const mv_read_options* options) {
  mv_read_options known = {};
  if (options != nullptr) {
    if (absl::Status status = CopyFromCaller(*options, "options", &known); !status.ok()) return status;
  }
  if (known.threads < -1) {
    return absl::InvalidArgumentError(absl::StrCat("options->threads: expected -1 or more, found ", known.threads));
  }
  return ReadOptions(known);
}

absl::Status ReadOptions::Report(uint64_t done, uint64_t total) const {
  if (options_.progress == nullptr) return absl::OkStatus();
  const int32_t answer = options_.progress(options_.progress_context, done, total);
  if (answer == 0) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat("the progress callback returned ", answer, " at ", done, " of ", total));
}

absl::Status Delivery::Put(absl::Span<const uint8_t> bytes) {
  if (absl::Status status = take_(done_, bytes); !status.ok()) return status;
  done_ += bytes.size();
  return options_->Report(done_, total_);
}

Delivery::Taker Delivery::IntoBuffer(void* buffer) {
  return [buffer](uint64_t offset, absl::Span<const uint8_t> bytes) {
    if (!bytes.empty()) std::memcpy(static_cast<uint8_t*>(buffer) + offset, bytes.data(), bytes.size());
    return absl::OkStatus();
  };
}

Delivery::Taker Delivery::IntoCallback(mv_write_function write, void* context) {
  return [write, context](uint64_t offset, absl::Span<const uint8_t> bytes) {
    const int32_t answer = write(context, offset, bytes.data(), bytes.size());
    if (answer == 0) return absl::OkStatus();
    return absl::CancelledError(
        absl::StrCat("the write callback returned ", answer, " for ", bytes.size(), " bytes at offset ", offset));
  };
}

Delivery::Taker Delivery::IntoNothing() {
  return [](uint64_t, absl::Span<const uint8_t>) { return absl::OkStatus(); };
}

}  // namespace modelvault
