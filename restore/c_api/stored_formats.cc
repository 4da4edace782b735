#include "restore/c_api/stored_formats.h"

#include "tools/formats/safetensors.h"

namespace modelvault {

const ModelFormats& StoredFormats() {
  static const auto* const kFormats = new ModelFormats({new SafetensorsFormat()});
  return *kFormats;
}

}  // namespace modelvault
