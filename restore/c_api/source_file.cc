#include "restore/c_api/source_file.h"

#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "vault/file_errors.h"
#include "vault/file_reading.h"

namespace modelvault {

absl::Status CallerMemory::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(name_, offset, out.size(), size()); !status.ok()) return status;
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return absl::OkStatus();
}

absl::Status SourceFile::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(name_, offset, out.size(), size()); !status.ok()) return status;
  const auto error = [&](size_t done, const auto&... what) {
    return absl::UnavailableError(absl::StrCat(name_, ": the source, asked for ", out.size() - done,
                                               " bytes at offset ", offset + done, ", ", what...));
  };
  for (size_t done = 0; done < out.size();) {
    const size_t wanted = out.size() - done;
    const int64_t count = source_->read(source_->context, offset + done, out.data() + done, wanted);
    if (count < 0) return error(done, "failed with ", count);
    if (count == 0) return error(done, "says that it ends there; its size is ", size());
    if (static_cast<uint64_t>(count) > wanted) return error(done, "says that it wrote ", count);
    done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

}  // namespace modelvault
