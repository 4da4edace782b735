// Any model files through mvault and back.
#ifndef MODELVAULT_TESTS_TOOLS_MVAULT_FORMAT_ROUND_TRIP_H_
#define MODELVAULT_TESTS_TOOLS_MVAULT_FORMAT_ROUND_TRIP_H_

#include <string>
#include <vector>

#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"

namespace modelvault {

// Packs `models`, of which "base" is the base, as files that end in `extension`, with the further arguments `options`;
// checks the vault as `verify` does, restores every file and compares it, and expects `tensor` among what `info` tells
// and `diff` to find the base and the first variant different. The vault's size.
size_t ExpectRoundTrip(const ModelFiles& models, const std::string& extension, const std::string& tensor,
                       const std::vector<std::string>& options = {});

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_MVAULT_FORMAT_ROUND_TRIP_H_
