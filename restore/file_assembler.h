// Puts a file together again from its frame and, in order, its data.
#ifndef MODELVAULT_RESTORE_FILE_ASSEMBLER_H_
#define MODELVAULT_RESTORE_FILE_ASSEMBLER_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/model_structure.h"

namespace modelvault {

// Holds a weave in memory, of at most kMaxWeaveSize bytes, and nothing else.
class FileAssembler {
 public:
  using Sink = std::function<absl::Status(absl::Span<const uint8_t>)>;

  // `frame` is a whole one, `structure` what it says; both must outlive this. `sink` takes the file's bytes in order;
  // its first error ends the work.
  FileAssembler(absl::string_view frame, const ModelStructure& structure, Sink sink)
      : frame_(frame.substr(static_cast<size_t>(structure.description_size))),
        pieces_(structure.pieces),
        weaves_(structure.weaves),
        sink_(std::move(sink)) {}

  // The next bytes of the data section.
  absl::Status Append(absl::Span<const uint8_t> data);

  // What stands behind them, once all data have been appended.
  absl::Status Finish() { return WriteFrame(); }

 private:
  absl::Status WriteFrame();
  absl::Status WriteWeave(const Weave& weave);

  absl::string_view frame_;              // What is left of its bytes.
  absl::Span<const FramePiece> pieces_;  // The same.
  absl::Span<const Weave> weaves_;       // The one that goes on, or the next, and those behind it.
  Sink sink_;
  uint64_t data_offset_ = 0;
  std::vector<uint8_t> woven_;  // Data of the first of weaves_, as far as they have come.
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_FILE_ASSEMBLER_H_
