#include "tools/mvault/reports/network_report.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {
namespace {

const char* OperatorName(OperatorCode code) {
  switch (code) {
    case OperatorCode::kEmbed:
      return "embed";
    case OperatorCode::kRmsNorm:
      return "rmsnorm";
    case OperatorCode::kMatmul:
      return "matmul";
    case OperatorCode::kRope:
      return "rope";
    case OperatorCode::kAttention:
      return "attention";
    case OperatorCode::kSiluGate:
      return "silu-gate";
    case OperatorCode::kRelu:
      return "relu";
    case OperatorCode::kAdd:
      return "add";
  }
  return "unknown";
}

// How many there are of each kind, in the order in which kinds first come.
std::vector<std::pair<std::string, size_t>> CountOperators(const Network& network) {
  std::vector<std::pair<std::string, size_t>> counts;
  for (size_t i = 0; i < network.operator_count; ++i) {
    const char* const name = OperatorName(network.op(i).code);
    size_t at = 0;
    while (at < counts.size() && counts[at].first != name) ++at;
    if (at == counts.size()) counts.emplace_back(name, 0);
    ++counts[at].second;
  }
  return counts;
}

}  // namespace

std::string NetworkText(const Network& network) {
  std::vector<std::string> operators;
  for (const auto& [name, count] : CountOperators(network)) operators.push_back(absl::StrCat(count, " ", name));
  std::string text;
  if (network.task == NetworkTask::kTokens) {
    absl::StrAppendFormat(&text, "network: tokens of %d in, %s, a window of %d positions and %d that stay",
                          network.inputs, network.tokenizer.size > 0 ? "with their tokenizer" : "without a tokenizer",
                          network.window, network.sinks);
  } else {
    absl::StrAppendFormat(&text, "network: %d features in, %d classes out", network.inputs, network.outputs);
  }
  absl::StrAppendFormat(&text, ", activations of %d bits\n%s: %s\n", network.activation_bits,
                        Counted(network.operator_count, "operator"), absl::StrJoin(operators, ", "));
  return text;
}

Json NetworkJson(const Network& network) {
  const bool tokens = network.task == NetworkTask::kTokens;
  Json operators = Json::object();
  for (const auto& [name, count] : CountOperators(network)) operators[name] = count;
  Json widths = Json::array();
  for (size_t i = 0; i < network.buffer_count; ++i) widths.push_back(network.width(i));
  return {{"task", tokens ? "tokens" : "features"},
          {"inputs", network.inputs},
          {"outputs", network.outputs},
          {"activation_bits", network.activation_bits},
          {"window", tokens ? Json(network.window) : Json(nullptr)},
          {"sinks", tokens ? Json(network.sinks) : Json(nullptr)},
          {"buffer_widths", widths},
          {"operators", operators},
          {"tokenizer_bytes", network.tokenizer.size}};
}

std::string NetworkTextOf(const NamedVault& vault) {
  if (!vault.vault().header().has_network()) return "";
  const absl::StatusOr<Network> network = vault.restorer().network();
  return network.ok() ? NetworkText(*network) : "network: malformed\n";
}

Json NetworkJsonOf(const NamedVault& vault) {
  if (!vault.vault().header().has_network()) return nullptr;
  const absl::StatusOr<Network> network = vault.restorer().network();
  return network.ok() ? NetworkJson(*network) : Json("malformed");
}

std::string AnswersOf(const NamedVault& vault) {
  const absl::StatusOr<Network> network = vault.restorer().network();
  if (!network.ok()) return "";
  return network->task == NetworkTask::kFeatures ? "features" : network->tokenizer.size > 0 ? "text" : "tokens";
}

}  // namespace modelvault
