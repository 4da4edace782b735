// Frames that say by themselves where the tensors of their file are (docs/format.md §8): whatever the format, they are
// read without its parser. Frames are hostile.
#ifndef MODELVAULT_RESTORE_DESCRIBED_FRAME_H_
#define MODELVAULT_RESTORE_DESCRIBED_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/model_structure.h"

namespace modelvault {

inline constexpr size_t kMaxFrameTensors = size_t{1} << 20;
inline constexpr size_t kMaxFrameFiles = 4096;
inline constexpr size_t kMaxFrameNameSize = 1024;  // Bytes of a tensor's name or of a path.
inline constexpr size_t kMaxFrameRank = 64;
inline constexpr size_t kMaxWeaveParts = 16;
inline constexpr uint32_t kMaxWeavePart = 65536;              // Bytes of a block.
inline constexpr uint64_t kMaxWeaveSize = uint64_t{1} << 28;  // Bytes: what putting it together takes of memory.

// Whether `text` is UTF-8 without a NUL.
bool IsFrameText(absl::string_view text);

// Whether `path` may be a FilePart's: so that what is written stays within the folder of the model, and has the same
// name on any system.
bool IsSafePath(absl::string_view path);

// Bytes in front of the opaque ones; 0 for a frame that does not describe itself, all of it at most.
uint64_t DescriptionSize(absl::string_view frame);

// The description of `structure`, as ParseDescribedFrame reads it; the opaque bytes, joined, come behind it. Its
// description_size is not looked at. kInvalidArgument for what ParseDescribedFrame would refuse.
absl::StatusOr<std::string> EncodeDescription(const ModelStructure& structure, absl::string_view what);

// The structure of a file with this frame and a data section of `data_size` bytes. kInvalidArgument, which names
// `what`, the tensor, what was expected and what was found, for anything that EncodeDescription does not make: sizes
// that do not add up or wrap, weaves that are none, paths that are not safe or occur twice.
absl::StatusOr<ModelStructure> ParseDescribedFrame(absl::string_view frame, uint64_t data_size, absl::string_view what);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_DESCRIBED_FRAME_H_
