// From a vocabulary to the tokenizer in a NETWORK section (docs/format.md §9).
#ifndef MODELVAULT_TOOLS_PACKING_TOKENIZER_BUILDER_H_
#define MODELVAULT_TOOLS_PACKING_TOKENIZER_BUILDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/formats/vocabulary.h"

namespace modelvault {

// Tokens that are one byte each ("<0x00>" to "<0xFF>", one after the other) become byte tokens, those that begin and end
// a text and the unknown one have no bytes, all others are pieces, of which equal ones count once: the first.
// `leading_space`: texts get a space before them. kInvalidArgument for what the format cannot hold. The same input gives
// the same bytes.
absl::StatusOr<std::string> BuildTokenizer(absl::Span<const VocabularyToken> vocabulary, bool leading_space);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_TOKENIZER_BUILDER_H_
