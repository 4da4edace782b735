#include "codec/fit/ternary_fit.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/core/codec_format.h"

namespace modelvault {
namespace {

absl::Status Check(absl::string_view tensor, absl::Span<const float> delta, absl::Span<const float> steps,
                   const Curvature& curvature, const TernaryFitOptions& o) {
  const auto error = [&](absl::string_view problem) {
    return absl::InvalidArgumentError(absl::StrCat("fit of ", tensor, ": ", problem));
  };
  if (delta.size() != curvature.rows() * curvature.cols() || steps.size() != curvature.rows()) {
    return error(absl::StrCat(delta.size(), " weights and ", steps.size(), " steps; the curvature is of ",
                              curvature.rows(), " times ", curvature.cols()));
  }
  if (!std::all_of(delta.begin(), delta.end(), [](float d) { return std::isfinite(d); })) {
    return error("a weight is not a finite number");
  }
  if (!std::all_of(steps.begin(), steps.end(), [](float s) { return std::isfinite(s) && s > 0; })) {
    return error("a step of the grid is not a positive number");
  }
  if (!(o.lambda >= 0) || !std::isfinite(o.lambda) || !(o.symbol_bits >= 0) || !(o.scale_bits >= 0) ||
      o.most_scale < 1 || o.most_scale > 127 || o.start_scale < 1 || o.start_scale > o.most_scale ||
      o.warm_up_sweeps < 1 || o.warm_up_sweeps > 60 || o.most_sweeps < o.warm_up_sweeps) {
    return error("an option is out of range");
  }
  return absl::OkStatus();
}

class Descent {
 public:
  Descent(absl::Span<const float> delta, absl::Span<const float> steps, const Curvature& curvature,
          const TernaryFitOptions& options)
      : steps_(steps), curvature_(curvature), options_(options), error_(delta.begin(), delta.end()) {
    product_ = curvature.Product(error_);
    fit_.symbols.resize(delta.size());
    fit_.scales.assign((delta.size() + kGroupSize - 1) / kGroupSize, options.start_scale);
    fit_.signal = Form();
  }

  TernaryFit Run() {
    for (int sweep = 0; sweep < options_.most_sweeps; ++sweep) {
      const int warm = std::max(0, options_.warm_up_sweeps - 1 - sweep);
      const bool changed = Sweep(std::ldexp(options_.lambda, warm));
      if (warm > 0) continue;
      const bool refitted = RefitScales();
      fit_.objectives.push_back(Form() + options_.lambda * Bits());
      if (!changed && !refitted) break;
    }
    // Without the rounding that updates gathered.
    product_ = curvature_.Product(error_);
    fit_.remaining = Form();
    return std::move(fit_);
  }

 private:
  double Form() const {
    double sum = 0;
    for (size_t i = 0; i < error_.size(); ++i) sum += static_cast<double>(error_[i]) * static_cast<double>(product_[i]);
    return sum / 2;
  }

  double Bits() const {
    double bits = options_.symbol_bits * static_cast<double>(fit_.nonzeros);
    for (const int scale : fit_.scales) bits += scale != options_.start_scale ? options_.scale_bits : 0;
    return bits;
  }

  double Step(size_t i) const { return static_cast<double>(steps_[i / curvature_.cols()]); }

  void Grow(size_t i, double by) {
    error_[i] += static_cast<float>(by);
    curvature_.Update(i, static_cast<float>(by), &product_);
  }

  // Whether any symbol changed.
  bool Sweep(double lambda) {
    bool changed = false;
    for (size_t i = 0; i < error_.size(); ++i) {
      const int now = fit_.symbols[i];
      const double step = Step(i) * fit_.scales[i / kGroupSize];
      const double own = curvature_.Between(i, i);
      const double price = lambda * options_.symbol_bits;
      double best_gain = 0;
      int best = now;
      for (int symbol = -1; symbol <= 1; ++symbol) {
        const double by = (now - symbol) * step;
        const double bits = (symbol != 0 ? price : 0) - (now != 0 ? price : 0);
        const double gain = -(by * static_cast<double>(product_[i]) + by * by * own / 2 + bits);
        if (gain > best_gain) {
          best_gain = gain;
          best = symbol;
        }
      }
      if (best == now) continue;
      fit_.nonzeros += static_cast<size_t>((best != 0) - (now != 0));
      fit_.symbols[i] = static_cast<int8_t>(best);
      Grow(i, (now - best) * step);
      changed = true;
    }
    return changed;
  }

  // Whether any scale changed.
  bool RefitScales() {
    bool changed = false;
    for (size_t group = 0; group < fit_.scales.size(); ++group) changed |= RefitScale(group);
    return changed;
  }

  bool RefitScale(size_t group) {
    std::vector<size_t> at;
    const size_t end = std::min(fit_.symbols.size(), (group + 1) * kGroupSize);
    for (size_t i = group * kGroupSize; i < end; ++i) {
      if (fit_.symbols[i] != 0) at.push_back(i);
    }
    if (at.empty()) return false;
    // A scale larger by x costs slope * x + curve * x² / 2.
    double slope = 0;
    double curve = 0;
    for (const size_t i : at) {
      slope -= Step(i) * fit_.symbols[i] * static_cast<double>(product_[i]);
      for (const size_t j : at) {
        curve += Step(i) * fit_.symbols[i] * Step(j) * fit_.symbols[j] * curvature_.Between(i, j);
      }
    }
    const int now = fit_.scales[group];
    const double ideal = now - slope / curve;
    const auto bits = [&](int scale) { return scale != options_.start_scale ? options_.scale_bits : 0; };
    int best = now;
    double best_cost = options_.lambda * bits(now);
    for (const double candidate : {std::floor(ideal), std::ceil(ideal), static_cast<double>(options_.start_scale)}) {
      const int scale = static_cast<int>(std::clamp(candidate, 1.0, static_cast<double>(options_.most_scale)));
      const double x = scale - now;
      const double cost = slope * x + curve * x * x / 2 + options_.lambda * bits(scale);
      if (cost < best_cost) {
        best_cost = cost;
        best = scale;
      }
    }
    if (best == now) return false;
    for (const size_t i : at) Grow(i, (now - best) * Step(i) * fit_.symbols[i]);
    fit_.scales[group] = best;
    return true;
  }

  absl::Span<const float> steps_;
  const Curvature& curvature_;
  const TernaryFitOptions& options_;
  std::vector<float> error_;    // delta less what symbols and scales give.
  std::vector<float> product_;  // Kept equal to curvature_.Product(error_).
  TernaryFit fit_;
};

}  // namespace

absl::StatusOr<TernaryFit> FitTernary(absl::string_view tensor, absl::Span<const float> delta,
                                      absl::Span<const float> steps, const Curvature& curvature,
                                      const TernaryFitOptions& options) {
  if (absl::Status status = Check(tensor, delta, steps, curvature, options); !status.ok()) return status;
  return Descent(delta, steps, curvature, options).Run();
}

}  // namespace modelvault
