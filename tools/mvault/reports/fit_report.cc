#include "tools/mvault/reports/fit_report.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {
namespace {

constexpr size_t kWorstTensors = 3;
constexpr size_t kShownVariants = 10;  // In a text, unless all are wanted.
constexpr size_t kShownNames = 5;      // In a note.

const char* NameOf(CurvatureUse use) {
  switch (use) {
    case CurvatureUse::kKronecker:
      return "kronecker";
    case CurvatureUse::kDiagonal:
      return "diagonal";
    case CurvatureUse::kIdentity:
      return "identity";
    case CurvatureUse::kMagnitude:
      return "magnitude";
  }
  return "";
}

double Kept(double signal, double remaining) { return signal > 0 ? 1 - remaining / signal : 1; }

TensorReport ReportOf(const FitTensor& tensor, double density, double signal, double remaining) {
  return {tensor.name, tensor.shape, NameOf(tensor.use), density, signal, remaining, Kept(signal, remaining)};
}

// Tensors that differ, of those that are floats; of a linear one by its symbols.
double Density(const FitTensor& tensor, const VariantTensorFit& fit, const FittedTensor& base) {
  if (tensor.linear) return Share(static_cast<double>(fit.nonzeros), static_cast<double>(tensor.base.size()));
  size_t differing = 0;
  for (size_t i = 0; i < fit.floats.size(); ++i) differing += fit.floats[i] != base.floats[i] ? 1 : 0;
  return Share(static_cast<double>(differing), static_cast<double>(tensor.base.size()));
}

std::string Number(double value) { return absl::StrFormat("%.4g", value); }

// The first few, and how many more there are.
std::string FirstOf(const std::vector<std::string>& texts, absl::string_view separator) {
  const size_t shown = std::min(kShownNames, texts.size());
  std::string text = absl::StrJoin(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(shown), separator);
  if (shown < texts.size()) absl::StrAppend(&text, separator, texts.size() - shown, " more");
  return text;
}

// The tensors held against `use`, each with its share of the model; empty: none.
std::string NamesWithShares(const std::vector<FitTensor>& tensors, CurvatureUse use, bool linear_alone) {
  double all = 0;
  for (const FitTensor& t : tensors) all += static_cast<double>(t.base.size());
  std::vector<std::string> names;
  for (const FitTensor& t : tensors) {
    if (t.use != use || t.base.empty() || (linear_alone && !t.linear)) continue;
    names.push_back(absl::StrCat(t.name, " (", Percent(static_cast<double>(t.base.size()) / all), ")"));
  }
  return FirstOf(names, ", ");
}

// What became of norms, biases and the like.
void AddSideNote(const FitInput& input, const FitRunOptions& options, const FitRun& run, FitReport* report) {
  size_t tensors = 0, exact = 0, moved = 0, left = 0;
  double signal = 0, remaining = 0;
  for (size_t t = 0; t < input.tensors().size(); ++t) {
    if (input.tensors()[t].linear || input.tensors()[t].base.empty()) continue;
    ++tensors;
    for (const FittedVariant& variant : run.models.variants) {
      const VariantTensorFit& fit = variant.tensors[t];
      ++(fit.remaining == 0 ? exact : fit.floats.empty() ? left : moved);
      signal += fit.signal;
      remaining += fit.remaining;
    }
  }
  if (tensors == 0) return;
  report->notes.push_back(absl::StrCat(
      "Small tensors, ", tensors, " of a model", options.fit.model.side_tensors ? "" : ", which were not to move",
      ": over all variants ", exact, " are exact, ", moved, " have moved, ", left, " are left at the base's; ",
      Percent(Share(remaining, signal)), " of their signal is lost, ",
      Percent(Share(remaining / static_cast<double>(run.models.variants.size()), report->remaining)),
      " of all that is lost."));
}

// What is not known of the weights, and what it costs not to know it.
void AddCurvatureNotes(const FitInput& input, const FitRunOptions& options, FitReport* report) {
  const std::string diagonal = NamesWithShares(input.tensors(), CurvatureUse::kDiagonal, true);
  if (!diagonal.empty() && options.curvature.use_kronecker) {
    report->notes.push_back(absl::StrCat("No Kronecker factors, the importance alone, for ", diagonal,
                                         ": how errors of different weights add up is not seen there."));
  }
  const std::string identity = NamesWithShares(input.tensors(), CurvatureUse::kIdentity, false);
  if (!identity.empty()) {
    report->notes.push_back(absl::StrCat("No curvature and no importance for ", identity,
                                         ": all their weights count the same. What is kept of them is then no "
                                         "prediction of accuracy."));
  }
  const auto has_factors = [](const FitTensor& tensor) { return tensor.use == CurvatureUse::kKronecker; };
  const bool any = std::any_of(input.tensors().begin(), input.tensors().end(), has_factors);
  if (any && (!input.knows_importance() || !input.knows_tensor_weights())) {
    report->notes.push_back(
        absl::StrCat("The curvature file has no ", input.knows_importance() ? "" : "importance",
                     input.knows_importance() || input.knows_tensor_weights() ? "" : " and no ",
                     input.knows_tensor_weights() ? "" : "tensor weights", ": on the reference corpus that costs ",
                     input.knows_importance() || input.knows_tensor_weights() ? "0.17" : "0.34",
                     " points of top-1 (docs/fit.md). modelvault.curvature(...) writes all of it into one file."));
  }
  if (!input.unused().empty()) {
    report->notes.push_back(absl::StrCat(
        "Of the curvature and importance files these match no tensor: ", FirstOf(input.unused(), ", "), "."));
  }
}

// Names of what the fit left out, took as it is, or lost.
void AddInputNotes(const FitInput& input, const FitRun& run, FitReport* report) {
  if (!input.ignored().empty()) {
    report->notes.push_back(
        absl::StrCat("Not matched, as --ignore says: ", FirstOf({input.ignored().begin(), input.ignored().end()}, ", "),
                     ". Those that the base has stand in every variant, untrained; others are not in the vault."));
  }
  if (!input.carried().empty()) {
    std::vector<std::string> names;
    for (const CarriedTensor& tensor : input.carried()) {
      names.push_back(absl::StrCat(tensor.info.name, " (", tensor.info.type_name(), ")"));
    }
    report->notes.push_back(
        absl::StrCat("Not fitted but carried over, each model's own, bit for bit: ", FirstOf(names, ", "), "."));
  }
  if (!run.lost_rows.empty()) {
    std::vector<std::string> rows;
    for (const LostRow& row : run.lost_rows) {
      rows.push_back(absl::StrCat(row.file, ": tensor ", row.tensor, ", row ", row.row, " (relative error ",
                                  Percent(row.relative_error), ")"));
    }
    report->notes.push_back(absl::StrCat(
        "Rows that came back far worse than their neighbours, as one value much larger than all others makes them: ",
        FirstOf(rows, "; "), "."));
  }
}

void AddNotes(const FitInput& input, const FitRunOptions& options, const FitRun& run, FitReport* report) {
  AddSideNote(input, options, run, report);
  AddCurvatureNotes(input, options, report);
  AddInputNotes(input, run, report);
  if (input.knows_tensor_weights()) {
    std::string note = "Predicted losses count tensors by the weights that were given";
    for (size_t v = 0; v < run.models.variants.size(); ++v) {
      const auto floor = options.fit.floors.find(input.variant_name(v));
      if (floor == options.fit.floors.end()) continue;
      absl::StrAppend(&note, "; without them '", floor->first, "' loses ",
                      Number(UnweightedRemaining(run.models.variants[v], input.tensors())), ", of ",
                      Number(floor->second), " that it may");
    }
    report->notes.push_back(absl::StrCat(note, "."));
  }
  if (!input.has_base()) {
    report->notes.push_back("No base was given: it is the mean of the variants.");
  } else if (!options.fit.keep_base) {
    report->notes.push_back("The vault's base lies amid the variants; it is not the base that was given.");
  }
  if (options.lambda == 0 &&
      static_cast<double>(run.vault_size) < (1 - options.tolerance) * static_cast<double>(options.budget)) {
    report->notes.push_back(run.saturated
                                ? "The variants need no more: a lower price of a bit would fill more of the budget, "
                                  "but keep no more."
                                : "No price of a bit was found that comes nearer to the budget: sizes jump where "
                                  "steps and scales, which are whole, change.");
  }
}

std::string FitsOf(const FitReport& r) {
  std::string text = absl::StrCat(r.fits, r.fits == 1 ? " fit" : " fits");
  if (r.trials > 0) absl::StrAppend(&text, " and ", r.trials, " of a few variants");
  return text;
}

std::vector<std::pair<std::string, std::string>> Sums(const FitReport& r) {
  const double count = static_cast<double>(std::max<size_t>(1, r.variants.size()));
  uint64_t variants = 0;
  for (const VariantReport& v : r.variants) variants += v.bytes;
  return {
      {"vault", absl::StrCat(Grouped(r.bytes), " bytes of ", Grouped(r.budget))},
      {"profile", absl::StrCat(ProfileName(r.profile.profile), "; ", ProfileName(OtherProfile(r.profile.profile)),
                               " would take ", Grouped(r.profile.other_size), " bytes")},
      {"float checkpoints", absl::StrFormat("%s bytes, %.1f times as much", Grouped(r.float_bytes),
                                            Share(static_cast<double>(r.float_bytes), static_cast<double>(r.bytes)))},
      {"base", absl::StrCat(Grouped(r.base_bytes), " bytes; tables and priors ", Grouped(r.model_bytes))},
      {"variants",
       absl::StrFormat("%d, on average %s bytes, %.3f bits a weight, %.2f %% of weights differ", r.variants.size(),
                       Grouped(static_cast<uint64_t>(static_cast<double>(variants) / count)),
                       8 * Share(static_cast<double>(variants) / count, static_cast<double>(r.weights)),
                       100 * r.density)},
      {"predicted loss",
       absl::StrCat(Number(r.remaining), " of ", Number(r.signal), " (", Percent(r.kept), " of the signal kept)")},
      {"price of a bit", absl::StrCat(Number(r.lambda), ", found after ", FitsOf(r))},
  };
}

Json TensorToJson(const TensorReport& t) {
  return {{"name", t.name},     {"shape", t.shape},         {"metric", t.metric}, {"density", t.density},
          {"signal", t.signal}, {"remaining", t.remaining}, {"kept", t.kept}};
}

Json VariantToJson(const VariantReport& v) {
  Json json = {{"name", v.name},       {"bytes", v.bytes},   {"bits_per_weight", v.bits_per_weight},
               {"density", v.density}, {"signal", v.signal}, {"remaining", v.remaining},
               {"kept", v.kept},       {"lambda", v.lambda}, {"worst_tensors", Json::array()}};
  for (const TensorReport& t : v.worst_tensors) json["worst_tensors"].push_back(TensorToJson(t));
  return json;
}

// What variant v costs and keeps.
VariantReport ReportOf(const FitInput& input, const FitRun& run, size_t v, double weights) {
  const std::vector<FitTensor>& tensors = input.tensors();
  const FittedVariant& fit = run.models.variants[v];
  VariantReport report;
  report.name = input.variant_name(v);
  report.bytes = run.stored_sizes[v];
  report.bits_per_weight = 8 * Share(static_cast<double>(report.bytes), weights);
  report.density = Share(static_cast<double>(fit.nonzeros()), weights);
  report.signal = fit.signal();
  report.remaining = fit.remaining();
  report.kept = Kept(report.signal, report.remaining);
  report.lambda = fit.lambda;
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return fit.tensors[a].remaining > fit.tensors[b].remaining; });
  for (size_t i = 0; i < std::min(kWorstTensors, order.size()); ++i) {
    const size_t t = order[i];
    report.worst_tensors.push_back(ReportOf(tensors[t], Density(tensors[t], fit.tensors[t], run.models.base[t]),
                                            fit.tensors[t].signal, fit.tensors[t].remaining));
  }
  return report;
}

// Means over the variants.
std::vector<TensorReport> TensorReports(const FitInput& input, const FitRun& run) {
  const double count = static_cast<double>(run.models.variants.size());
  std::vector<TensorReport> reports;
  for (size_t t = 0; t < input.tensors().size(); ++t) {
    double density = 0, signal = 0, remaining = 0;
    for (const FittedVariant& variant : run.models.variants) {
      const VariantTensorFit& fit = variant.tensors[t];
      density += Density(input.tensors()[t], fit, run.models.base[t]) / count;
      signal += fit.signal / count;
      remaining += fit.remaining / count;
    }
    reports.push_back(ReportOf(input.tensors()[t], density, signal, remaining));
  }
  return reports;
}

}  // namespace

FitReport MakeFitReport(const std::string& vault, const FitInput& input, const FitRunOptions& options,
                        const FitRun& run) {
  FitReport report;
  report.vault = vault;
  report.bytes = run.vault_size;
  report.budget = options.budget;
  report.profile = run.profile;
  report.float_bytes = input.float_bytes();
  report.lambda = run.lambda;
  report.fits = static_cast<uint64_t>(run.fits);
  report.trials = static_cast<uint64_t>(run.trials);
  report.base_bytes = run.size.base;
  report.model_bytes = run.size.model;
  for (const FitTensor& t : input.tensors()) report.weights += t.linear ? t.base.size() : 0;
  const double count = static_cast<double>(run.models.variants.size());
  for (size_t v = 0; v < run.models.variants.size(); ++v) {
    VariantReport variant = ReportOf(input, run, v, static_cast<double>(report.weights));
    report.density += variant.density / count;
    report.signal += variant.signal / count;
    report.remaining += variant.remaining / count;
    report.variants.push_back(std::move(variant));
  }
  report.kept = Kept(report.signal, report.remaining);
  report.tensors = TensorReports(input, run);
  report.curve = run.curve;
  report.lost_rows = run.lost_rows;
  AddNotes(input, options, run, &report);
  return report;
}

std::string FitToText(const FitReport& report, bool all) {
  std::vector<VariantReport> shown = report.variants;
  const bool some = !all && shown.size() > kShownVariants;
  if (some) {
    std::stable_sort(shown.begin(), shown.end(),
                     [](const VariantReport& a, const VariantReport& b) { return a.remaining > b.remaining; });
    shown.resize(kShownVariants);
  }
  TextTable table({"variant", ">bytes", ">bits/weight", ">differ", ">predicted loss", ">kept"});
  for (const VariantReport& v : shown) {
    table.AddRow({Printable(v.name), Grouped(v.bytes), FormatBits(v.bits_per_weight), Percent(v.density),
                  Number(v.remaining), Percent(v.kept)});
  }
  std::string text = table.Format();
  if (some) {
    absl::StrAppend(&text, "The ", kShownVariants, " of ", report.variants.size(),
                    " variants that lose most; --table shows all, --report FILE draws them.\n");
  }
  absl::StrAppend(&text, "\n", Printable(report.vault), "\n");
  for (const auto& [what, value] : Sums(report)) absl::StrAppend(&text, what, ": ", value, "\n");
  for (const std::string& note : report.notes) absl::StrAppend(&text, "note: ", Printable(note), "\n");
  return text;
}

Json FitToJson(const FitReport& report) {
  Json json = {{"vault", report.vault},
               {"bytes", report.bytes},
               {"budget", report.budget},
               {"profile", ProfileName(report.profile.profile)},
               {"other_profile_bytes", report.profile.other_size},
               {"float_bytes", report.float_bytes},
               {"lambda", report.lambda},
               {"fits", report.fits},
               {"trials", report.trials},
               {"weights", report.weights},
               {"base_bytes", report.base_bytes},
               {"model_bytes", report.model_bytes},
               {"signal", report.signal},
               {"remaining", report.remaining},
               {"kept", report.kept},
               {"density", report.density},
               {"variants", Json::array()},
               {"tensors", Json::array()},
               {"curve", Json::array()},
               {"lost_rows", Json::array()},
               {"notes", report.notes}};
  for (const VariantReport& v : report.variants) json["variants"].push_back(VariantToJson(v));
  for (const TensorReport& t : report.tensors) json["tensors"].push_back(TensorToJson(t));
  for (const CurvePoint& p : report.curve) {
    json["curve"].push_back({{"budget", p.budget}, {"remaining", p.remaining}, {"density", p.density}});
  }
  for (const LostRow& row : report.lost_rows) {
    json["lost_rows"].push_back(
        {{"file", row.file}, {"tensor", row.tensor}, {"row", row.row}, {"relative_error", row.relative_error}});
  }
  return json;
}

}  // namespace modelvault
