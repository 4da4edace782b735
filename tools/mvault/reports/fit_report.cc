#include "tools/mvault/reports/fit_report.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {
namespace {

constexpr size_t kWorstTensors = 3;

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

double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }
double Kept(double signal, double remaining) { return signal > 0 ? 1 - remaining / signal : 1; }

proto::FittedTensorReport TensorReport(const FitTensor& tensor, double density, double signal, double remaining) {
  proto::FittedTensorReport report;
  report.set_name(tensor.name);
  for (const uint64_t dimension : tensor.shape) report.add_shape(dimension);
  report.set_metric(NameOf(tensor.use));
  report.set_density(density);
  report.set_signal(signal);
  report.set_remaining(remaining);
  report.set_kept(Kept(signal, remaining));
  return report;
}

// Tensors that differ, of those that are floats; of a linear one by its symbols.
double Density(const FitTensor& tensor, const VariantTensorFit& fit, const FittedTensor& base) {
  if (tensor.linear) return Share(static_cast<double>(fit.nonzeros), static_cast<double>(tensor.base.size()));
  size_t differing = 0;
  for (size_t i = 0; i < fit.floats.size(); ++i) differing += fit.floats[i] != base.floats[i] ? 1 : 0;
  return Share(static_cast<double>(differing), static_cast<double>(tensor.base.size()));
}

std::string Number(double value) { return absl::StrFormat("%.4g", value); }
std::string Percents(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

// The tensors held against `use`, each with its share of the model; empty: none.
std::string NamesWithShares(const std::vector<FitTensor>& tensors, CurvatureUse use, bool linear_alone) {
  double all = 0;
  for (const FitTensor& t : tensors) all += static_cast<double>(t.base.size());
  std::vector<std::string> names;
  for (const FitTensor& t : tensors) {
    if (t.use != use || t.base.empty() || (linear_alone && !t.linear)) continue;
    names.push_back(absl::StrCat(t.name, " (", Percents(static_cast<double>(t.base.size()) / all), ")"));
  }
  return absl::StrJoin(names, ", ");
}

// What became of norms, biases and the like.
void AddSideNote(const FitInput& input, const FitRunOptions& options, const FitRun& run, proto::FitReport* report) {
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
  report->add_notes(absl::StrCat(
      "Small tensors, ", tensors, " of a model", options.fit.side_tensors ? "" : ", which were not to move",
      ": over all variants ", exact, " are exact, ", moved, " have moved, ", left, " are left at the base's; ",
      Percents(Share(remaining, signal)), " of their signal is lost, ",
      Percents(Share(remaining / static_cast<double>(run.models.variants.size()), report->remaining())),
      " of all that is lost."));
}

void AddNotes(const FitInput& input, const FitRunOptions& options, const FitRun& run, proto::FitReport* report) {
  AddSideNote(input, options, run, report);
  const std::string diagonal = NamesWithShares(input.tensors(), CurvatureUse::kDiagonal, true);
  if (!diagonal.empty() && options.curvature.use_kronecker) {
    report->add_notes(absl::StrCat("No Kronecker factors, the importance alone, for ", diagonal,
                                   ": how errors of different weights add up is not seen there."));
  }
  const std::string identity = NamesWithShares(input.tensors(), CurvatureUse::kIdentity, false);
  if (!identity.empty()) {
    report->add_notes(absl::StrCat("No curvature and no importance for ", identity,
                                   ": all their weights count the same. What is kept of them is then no prediction of "
                                   "accuracy."));
  }
  if (!input.unused().empty()) {
    report->add_notes(absl::StrCat(
        "Of the curvature and importance files these match no tensor: ", absl::StrJoin(input.unused(), ", "), "."));
  }
  if (!options.curvature.tensor_weights.empty()) {
    std::string note = "Predicted losses count tensors by the weights that were given";
    for (size_t v = 0; v < run.models.variants.size(); ++v) {
      const auto floor = options.fit.floors.find(input.variant_name(v));
      if (floor == options.fit.floors.end()) continue;
      absl::StrAppend(&note, "; without them '", floor->first, "' loses ",
                      Number(UnweightedRemaining(run.models.variants[v], input.tensors())), ", of ",
                      Number(floor->second), " that it may");
    }
    report->add_notes(absl::StrCat(note, "."));
  }
  if (!input.has_base()) {
    report->add_notes("No base was given: it is the mean of the variants.");
  } else if (!options.fit.keep_base) {
    report->add_notes("The vault's base lies amid the variants; it is not the base that was given.");
  }
  if (options.lambda == 0 &&
      static_cast<double>(run.vault_size) < (1 - options.tolerance) * static_cast<double>(options.budget)) {
    report->add_notes(run.saturated
                          ? "The variants need no more: a lower price of a bit would fill more of the budget, "
                            "but keep no more."
                          : "No price of a bit was found that comes nearer to the budget: sizes jump where "
                            "steps and scales, which are whole, change.");
  }
}

std::vector<std::pair<std::string, std::string>> Sums(const proto::FitReport& r) {
  const double count = std::max(1, r.variants_size());
  uint64_t variants = 0;
  for (const proto::FittedVariantReport& v : r.variants()) variants += v.bytes();
  return {
      {"vault", absl::StrCat(Grouped(r.bytes()), " bytes of ", Grouped(r.budget()))},
      {"float checkpoints",
       absl::StrFormat("%s bytes, %.1f times as much", Grouped(r.float_bytes()),
                       Share(static_cast<double>(r.float_bytes()), static_cast<double>(r.bytes())))},
      {"base", absl::StrCat(Grouped(r.base_bytes()), " bytes; tables and priors ", Grouped(r.model_bytes()))},
      {"variants",
       absl::StrFormat("%d, on average %s bytes, %.3f bits a weight, %.2f %% of weights differ", r.variants_size(),
                       Grouped(static_cast<uint64_t>(static_cast<double>(variants) / count)),
                       8 * Share(static_cast<double>(variants) / count, static_cast<double>(r.weights())),
                       100 * r.density())},
      {"predicted loss", absl::StrCat(Number(r.remaining()), " of ", Number(r.signal()), " (", Percents(r.kept()),
                                      " of the signal kept)")},
      {"price of a bit", absl::StrCat(Number(r.lambda()), ", found after ", r.fits(), " fits")},
  };
}

Json TensorToJson(const proto::FittedTensorReport& t) {
  return {{"name", t.name()},     {"shape", std::vector<uint64_t>(t.shape().begin(), t.shape().end())},
          {"metric", t.metric()}, {"density", t.density()},
          {"signal", t.signal()}, {"remaining", t.remaining()},
          {"kept", t.kept()}};
}

}  // namespace

proto::FitReport MakeFitReport(const std::string& vault, const FitInput& input, const FitRunOptions& options,
                               const FitRun& run) {
  proto::FitReport report;
  report.set_vault(vault);
  report.set_bytes(run.vault_size);
  report.set_budget(options.budget);
  report.set_float_bytes(input.float_bytes());
  report.set_lambda(run.lambda);
  report.set_fits(static_cast<uint64_t>(run.fits));
  report.set_base_bytes(run.size.base);
  report.set_model_bytes(run.size.model);
  const std::vector<FitTensor>& tensors = input.tensors();
  double weights = 0;
  for (const FitTensor& t : tensors) weights += t.linear ? static_cast<double>(t.base.size()) : 0;
  report.set_weights(static_cast<uint64_t>(weights));
  const double count = static_cast<double>(run.models.variants.size());
  std::vector<double> density(tensors.size()), signal(tensors.size()), remaining(tensors.size());
  for (size_t v = 0; v < run.models.variants.size(); ++v) {
    const FittedVariant& fit = run.models.variants[v];
    proto::FittedVariantReport* out = report.add_variants();
    out->set_name(input.variant_name(v));
    out->set_bytes(run.stored_sizes[v]);
    out->set_bits_per_weight(8 * Share(static_cast<double>(run.stored_sizes[v]), weights));
    out->set_density(Share(static_cast<double>(fit.nonzeros()), weights));
    out->set_signal(fit.signal());
    out->set_remaining(fit.remaining());
    out->set_kept(Kept(fit.signal(), fit.remaining()));
    out->set_lambda(fit.lambda);
    std::vector<size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return fit.tensors[a].remaining > fit.tensors[b].remaining; });
    for (size_t t = 0; t < tensors.size(); ++t) {
      const double share = Density(tensors[t], fit.tensors[t], run.models.base[t]);
      density[t] += share / count;
      signal[t] += fit.tensors[t].signal / count;
      remaining[t] += fit.tensors[t].remaining / count;
    }
    for (size_t i = 0; i < std::min(kWorstTensors, order.size()); ++i) {
      const size_t t = order[i];
      *out->add_worst_tensors() = TensorReport(tensors[t], Density(tensors[t], fit.tensors[t], run.models.base[t]),
                                               fit.tensors[t].signal, fit.tensors[t].remaining);
    }
    report.set_density(report.density() + out->density() / count);
    report.set_signal(report.signal() + out->signal() / count);
    report.set_remaining(report.remaining() + out->remaining() / count);
  }
  report.set_kept(Kept(report.signal(), report.remaining()));
  for (size_t t = 0; t < tensors.size(); ++t) {
    *report.add_tensors() = TensorReport(tensors[t], density[t], signal[t], remaining[t]);
  }
  for (const CurvePoint& p : run.curve) {
    proto::FitCurvePoint* out = report.add_curve();
    out->set_budget(p.budget);
    out->set_remaining(p.remaining);
    out->set_density(p.density);
  }
  AddNotes(input, options, run, &report);
  return report;
}

std::string FitToText(const proto::FitReport& report) {
  TextTable table({"variant", ">bytes", ">bits/weight", ">differ", ">predicted loss", ">kept"});
  for (const proto::FittedVariantReport& v : report.variants()) {
    table.AddRow({Printable(v.name()), Grouped(v.bytes()), FormatBits(v.bits_per_weight()), Percents(v.density()),
                  Number(v.remaining()), Percents(v.kept())});
  }
  std::string text = absl::StrCat(table.Format(), "\n", Printable(report.vault()), "\n");
  for (const auto& [what, value] : Sums(report)) absl::StrAppend(&text, what, ": ", value, "\n");
  for (const std::string& note : report.notes()) absl::StrAppend(&text, "note: ", Printable(note), "\n");
  return text;
}

Json FitToJson(const proto::FitReport& report) {
  Json json = {{"vault", report.vault()},
               {"bytes", report.bytes()},
               {"budget", report.budget()},
               {"float_bytes", report.float_bytes()},
               {"lambda", report.lambda()},
               {"fits", report.fits()},
               {"weights", report.weights()},
               {"base_bytes", report.base_bytes()},
               {"model_bytes", report.model_bytes()},
               {"signal", report.signal()},
               {"remaining", report.remaining()},
               {"kept", report.kept()},
               {"density", report.density()},
               {"variants", Json::array()},
               {"tensors", Json::array()},
               {"curve", Json::array()},
               {"notes", std::vector<std::string>(report.notes().begin(), report.notes().end())}};
  for (const proto::FittedVariantReport& v : report.variants()) {
    Json variant = {{"name", v.name()},       {"bytes", v.bytes()},   {"bits_per_weight", v.bits_per_weight()},
                    {"density", v.density()}, {"signal", v.signal()}, {"remaining", v.remaining()},
                    {"kept", v.kept()},       {"lambda", v.lambda()}, {"worst_tensors", Json::array()}};
    for (const proto::FittedTensorReport& t : v.worst_tensors()) variant["worst_tensors"].push_back(TensorToJson(t));
    json["variants"].push_back(std::move(variant));
  }
  for (const proto::FittedTensorReport& t : report.tensors()) json["tensors"].push_back(TensorToJson(t));
  for (const proto::FitCurvePoint& p : report.curve()) {
    json["curve"].push_back({{"budget", p.budget()}, {"remaining", p.remaining()}, {"density", p.density()}});
  }
  return json;
}

}  // namespace modelvault
