// Text as the bytes that it is.
#ifndef MODELVAULT_CODEC_TEXT_BYTES_H_
#define MODELVAULT_CODEC_TEXT_BYTES_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace modelvault {

// Of what `text` views, which must outlive the result.
inline absl::Span<const uint8_t> BytesOf(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_TEXT_BYTES_H_
