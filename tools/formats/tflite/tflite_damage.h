// Where a TensorFlow Lite model is damaged: FlatBuffers' verifier only says that it is.
#ifndef MODELVAULT_TOOLS_FORMATS_TFLITE_TFLITE_DAMAGE_H_
#define MODELVAULT_TOOLS_FORMATS_TFLITE_TFLITE_DAMAGE_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"

namespace modelvault {

// What the verifier refused in `bytes`, a FlatBuffer in which it takes `most_tables`: the part of the model, its
// offset, and what is wrong with it, as in "subgraph 0, tensor 3, name at offset 1234: no zero byte ends it".
std::string FindTfliteDamage(absl::Span<const uint8_t> bytes, uint32_t most_tables);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_TFLITE_TFLITE_DAMAGE_H_
