// Small vaults that answer.
#ifndef MODELVAULT_TESTS_TOOLS_PACKING_TALKING_VAULTS_H_
#define MODELVAULT_TESTS_TOOLS_PACKING_TALKING_VAULTS_H_

#include <optional>
#include <string>

#include "codec/shared_tables_builder.h"
#include "tests/temp_folder.h"
#include "tests/tools/eval/tiny_models.h"

namespace modelvault {

// A vocabulary of three tokens (unknown, begin, end) and then of letters from 'a' on; the file's path.
std::string WriteVocabulary(const TempFolder& folder, const std::string& name, int letters);

// talks.mvlt: `files`' INT8 models and their description, with letters for tokens. Its path.
std::string PackLanguage(const EvalFiles& files, std::optional<BaseProfile> profile = std::nullopt);

// tells.mvlt: a base and the variant "ward", which take 3 numbers and tell 2 classes: the base's scores are the sum of
// the first two and the third; in ward they change places. Its path.
std::string PackClassifier(const TempFolder& folder);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_PACKING_TALKING_VAULTS_H_
