// Neighbouring parts of a file, read together: where storage is far away a read costs more than its bytes.
#ifndef MODELVAULT_VAULT_READ_WINDOW_H_
#define MODELVAULT_VAULT_READ_WINDOW_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

// Thread-compatible.
class ReadWindow {
 public:
  // `file` must outlive it.
  explicit ReadWindow(const RandomAccessFile* file) : file_(file) {}

  // Reads bytes [begin, end), as far as the file goes, unless they are here: from now on they, and no others, are.
  // Errors are RandomAccessFile::ReadAt's, at `begin`.
  absl::Status Load(uint64_t begin, uint64_t end);

  // As RandomAccessFile::ReadAt; without a read where the window has all of it. An error has its PlaceOf().
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const;

 private:
  bool Has(uint64_t begin, uint64_t end) const;

  const RandomAccessFile* file_;
  uint64_t begin_ = 0;
  std::vector<uint8_t> bytes_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_READ_WINDOW_H_
