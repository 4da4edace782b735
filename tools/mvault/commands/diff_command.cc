#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/trust_options.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/mvault/reports/model_diff.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string a;
  std::string b;
  TrustArguments trust;
  bool json = false;
};

struct Totals {
  uint64_t elements = 0;
  uint64_t differing = 0;
  size_t tensors_differing = 0;
};

bool Differs(const TensorDifference& t) { return t.differing > 0 || t.dtype_a != t.dtype_b; }

std::string FormatMax(const TensorDifference& t) {
  return t.max_difference.has_value() ? absl::StrFormat("%.6g", *t.max_difference) : "-";
}

Json ToJson(const Arguments& arguments, const std::vector<TensorDifference>& tensors, const Totals& totals,
            bool same_header, bool identical) {
  Json json = {{"vault", arguments.vault},
               {"a", arguments.a},
               {"b", arguments.b},
               {"identical", identical},
               {"headers_identical", same_header},
               {"elements", totals.elements},
               {"differing", totals.differing},
               {"share", Share(totals.differing, totals.elements)},
               {"tensors", Json::array()}};
  for (const TensorDifference& t : tensors) {
    // JSON has no infinity.
    const bool finite = t.max_difference.has_value() && std::isfinite(*t.max_difference);
    json["tensors"].push_back({{"name", t.name},
                               {"dtype_a", t.dtype_a.empty() ? Json(nullptr) : Json(t.dtype_a)},
                               {"dtype_b", t.dtype_b.empty() ? Json(nullptr) : Json(t.dtype_b)},
                               {"elements", t.elements},
                               {"differing", t.differing},
                               {"share", Share(t.differing, t.elements)},
                               {"max_difference", finite ? Json(*t.max_difference) : Json(nullptr)}});
  }
  return json;
}

std::string ToText(const std::vector<TensorDifference>& tensors, const Totals& totals, bool same_header) {
  TextTable table({"tensor", "dtype", ">elements", ">differ", ">share", ">max |difference|"});
  for (const TensorDifference& t : tensors) {
    if (!Differs(t)) continue;
    const auto shown = [](const std::string& dtype) { return dtype.empty() ? "-" : dtype; };
    const std::string dtype =
        t.dtype_a == t.dtype_b ? t.dtype_a : absl::StrCat(shown(t.dtype_a), " / ", shown(t.dtype_b));
    table.AddRow({Printable(t.name), Printable(dtype), Grouped(t.elements), Grouped(t.differing),
                  Percent(t.differing, t.elements), FormatMax(t)});
  }
  return absl::StrFormat("%s%d of %s %s, in %s of %s (%s); file headers are %s\n",
                         totals.tensors_differing > 0 ? table.Format() : "", totals.tensors_differing,
                         Counted(tensors.size(), "tensor"), totals.tensors_differing == 1 ? "differs" : "differ",
                         Grouped(totals.differing), Counted(totals.elements, "element"),
                         Percent(totals.differing, totals.elements), same_header ? "the same" : "different");
}

absl::StatusOr<ExitCode> Diff(Session& session, const Arguments& arguments) {
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  const absl::StatusOr<TrustedVault> trusted = OpenTrustedVault(session.file_system, arguments.vault, arguments.trust);
  if (!trusted.ok()) return trusted.status();
  const NamedVault* const vault = &trusted->vault;
  for (const std::string& name : {arguments.a, arguments.b}) {
    if (absl::Status status = trusted->CheckNotRevoked(name); !status.ok()) return status;
  }
  for (const std::string& name : {arguments.a, arguments.b}) vault->restorer().WillRestore(name);
  const absl::StatusOr<NamedModel> a = vault->OpenModel(arguments.a);
  if (!a.ok()) return a.status();
  const absl::StatusOr<NamedModel> b = vault->OpenModel(arguments.b);
  if (!b.ok()) return b.status();
  const absl::StatusOr<std::vector<TensorDifference>> tensors =
      CompareModels(*vault, *a, *b, PartnersByName(*a, *b), "compare", &session.console.progress());
  if (!tensors.ok()) return tensors.status();
  Totals totals;
  for (const TensorDifference& t : *tensors) {
    totals.elements += t.elements;
    totals.differing += t.differing;
    totals.tensors_differing += Differs(t) ? 1 : 0;
  }
  const bool same_header = a->frame == b->frame;
  const bool identical = same_header && totals.tensors_differing == 0;
  if (arguments.json) {
    session.console.PrintJson(ToJson(arguments, *tensors, totals, same_header, identical));
  } else {
    session.console.Print(ToText(*tensors, totals, same_header));
  }
  return identical ? ExitCode::kOk : ExitCode::kDifferent;
}

}  // namespace

void AddDiffCommand(Command& app, Session& session) {
  Command command = app.AddCommand("diff", "Tell where two models of a vault differ, tensor by tensor");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("A", &arguments->a, "A variant, or 'base'").Required();
  command.AddOption("B", &arguments->b, "A variant, or 'base'").Required();
  AddTrustOptions(&command, &arguments->trust);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(
      &command, "  mvault diff all.mvlt base legal\n  mvault diff all.mvlt legal marketing --json\n",
      "Elements of one dtype are compared bit for bit, elements of two dtypes by value. Exit code 0: the files are\n"
      "the same; 1: they differ, be it only in their headers.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Diff(session, *arguments); }; });
}

}  // namespace modelvault
