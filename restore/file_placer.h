// Puts a file together from its frame and data that come in any order.
#ifndef MODELVAULT_RESTORE_FILE_PLACER_H_
#define MODELVAULT_RESTORE_FILE_PLACER_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/model_structure.h"

namespace modelvault {

// What FileAssembler does, for files without weaves. Thread-safe if the sink is.
class FilePlacer {
 public:
  // Takes bytes of the file and their place in it.
  using Sink = std::function<absl::Status(uint64_t offset, absl::Span<const uint8_t> bytes)>;

  // Whether the data of this file can come in any order.
  static bool CanPlace(const ModelStructure& structure) { return structure.weaves.empty(); }

  // `frame` is a whole one, `structure` what it says; both must outlive this.
  FilePlacer(absl::string_view frame, const ModelStructure& structure, Sink sink);

  // Bytes of the data section, from `data_offset` on.
  absl::Status Place(uint64_t data_offset, absl::Span<const uint8_t> data) const;

  // All of the frame.
  absl::Status PlaceFrame() const;

 private:
  // The number of frame bytes before byte `data_offset` of the data section, and the pieces that they are.
  struct Before {
    size_t pieces;
    uint64_t bytes;
  };
  Before FrameBefore(uint64_t data_offset) const;

  absl::string_view frame_;
  absl::Span<const FramePiece> pieces_;
  std::vector<uint64_t> piece_ends_;  // In the frame.
  Sink sink_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_FILE_PLACER_H_
