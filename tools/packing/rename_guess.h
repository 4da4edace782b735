// Finds out by which rules the names of a fine-tune's tensors could become the base's.
#ifndef MODELVAULT_TOOLS_PACKING_RENAME_GUESS_H_
#define MODELVAULT_TOOLS_PACKING_RENAME_GUESS_H_

#include <cstddef>

#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "tools/packing/name_rules.h"
#include "tools/packing/variant_match.h"

namespace modelvault {

struct RenameGuess {
  NameRules rules;    // Those given, and those found.
  size_t found = 0;   // How many of them are new; 0: no rule helps.
  TensorPairs pairs;  // By all of the rules.
};

// Looks at the tensors that `given` leaves without a match: where names differ by whole parts between dots, the change
// that gives most of them a match becomes a rule, again and again until no rule gives two more, or all, a match.
RenameGuess GuessRenames(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                         const NameRules& given);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_RENAME_GUESS_H_
