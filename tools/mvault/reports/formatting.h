// Pieces of what commands print, as text and as JSON.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_FORMATTING_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_FORMATTING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/mvault/cli/console.h"
#include "tools/mvault/reports/accounting.h"

namespace modelvault {

// A table of parts with their shares of `total`; parts without bytes are left out.
std::string FormatParts(const std::vector<AccountPart>& parts, uint64_t total);
Json PartsToJson(const std::vector<AccountPart>& parts);

// "12.3 %"; of nothing, 0.
std::string Percent(uint64_t part, uint64_t whole);

// Bits a weight, or 0 where there are no weights. In text "0.252".
double BitsPerWeight(uint64_t bytes, uint64_t weights);
std::string FormatBits(double bits);

// "[512, 64]".
std::string FormatShape(const std::vector<uint64_t>& shape);

// 16 hexadecimal digits.
std::string FormatHash(uint64_t hash);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_FORMATTING_H_
