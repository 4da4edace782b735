// Where an ONNX tensor says its values are, if they are in a file beside the model's.
#ifndef MODELVAULT_TOOLS_FORMATS_ONNX_EXTERNAL_DATA_H_
#define MODELVAULT_TOOLS_FORMATS_ONNX_EXTERNAL_DATA_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace modelvault {

struct ExternalData {
  std::string location;            // The file, below the folder of the model; IsSafePath.
  uint64_t offset = 0;             // Bytes.
  std::optional<uint64_t> length;  // Bytes; not told: as many as type and shape say.
};

// Collects the entries of one tensor, which are hostile.
class ExternalDataReader {
 public:
  // An entry of the field external_data. Keys other than location, offset and length say nothing of the place.
  // kInvalidArgument, with the reason alone, for a key that was there before, a location that is not a path below the
  // model's folder, a number that is none or does not fit 64 bits.
  absl::Status Add(absl::string_view key, absl::string_view value);

  // kInvalidArgument if there was no location, or offset and length together do not fit 64 bits.
  absl::Status Finish(ExternalData* data) const;

 private:
  ExternalData data_;
  bool has_location_ = false, has_offset_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ONNX_EXTERNAL_DATA_H_
