// What a vault says of what its models compute, in short.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_NETWORK_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_NETWORK_REPORT_H_

#include <string>

#include "restore/infer/network.h"
#include "restore/named_vault.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {

// A line or two: "… 79 operators: embed, 11 rmsnorm, …".
std::string NetworkText(const Network& network);
Json NetworkJson(const Network& network);

// Of the vault's network, its text or its JSON; empty, or null, for a vault without one. A damaged one is what verify
// tells of; here it is "malformed".
std::string NetworkTextOf(const NamedVault& vault);
Json NetworkJsonOf(const NamedVault& vault);

// What the models of a vault may be asked for: "text" (its network has a tokenizer), "tokens", "features", or nothing.
std::string AnswersOf(const NamedVault& vault);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_NETWORK_REPORT_H_
