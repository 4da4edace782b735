#include "codec/fit/ternary_fit.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/core/codec_format.h"
#include "codec/fit/error_product.h"

namespace modelvault {
namespace {

absl::Status Check(absl::string_view tensor, absl::Span<const float> delta, absl::Span<const float> steps,
                   absl::Span<const int8_t> base, const Curvature& curvature, const TernaryFitOptions& o) {
  const auto error = [&](absl::string_view problem) {
    return absl::InvalidArgumentError(absl::StrCat("fit of ", tensor, ": ", problem));
  };
  if (delta.size() != curvature.rows() * curvature.cols() || steps.size() != curvature.rows()) {
    return error(absl::StrCat(delta.size(), " weights and ", steps.size(), " steps; the curvature is of ",
                              curvature.rows(), " times ", curvature.cols()));
  }
  if (!base.empty() && base.size() != delta.size()) {
    return error(absl::StrCat(delta.size(), " weights, but ", base.size(), " of the base"));
  }
  if ((!o.row_bits.empty() && o.row_bits.size() != curvature.rows()) ||
      (!o.column_bits.empty() && o.column_bits.size() != curvature.cols())) {
    return error("the bits of rows or columns are not one for each");
  }
  if (!std::all_of(delta.begin(), delta.end(), [](float d) { return std::isfinite(d); })) {
    return error("a weight is not a finite number");
  }
  if (!std::all_of(steps.begin(), steps.end(), [](float s) { return std::isfinite(s) && s > 0; })) {
    return error("a step of the grid is not a positive number");
  }
  if (!(o.lambda >= 0) || !std::isfinite(o.lambda) || !(o.symbol_bits >= 0) || !(o.scale_bits >= 0) ||
      !(o.least_symbol_bits >= 0) || o.most_scale < 1 || o.most_scale > 127 || o.start_scale < 1 ||
      o.start_scale > o.most_scale || o.warm_up_sweeps < 1 || o.warm_up_sweeps > 60 ||
      o.most_sweeps < o.warm_up_sweeps) {
    return error("an option is out of range");
  }
  return absl::OkStatus();
}

class Descent {
 public:
  Descent(absl::Span<const float> delta, absl::Span<const float> steps, absl::Span<const int8_t> base,
          const Curvature& curvature, const TernaryFitOptions& options)
      : steps_(steps),
        base_(base),
        curvature_(curvature),
        options_(options),
        cols_(curvature.cols()),
        product_(curvature, std::vector<float>(delta.begin(), delta.end())) {
    fit_.symbols.resize(delta.size());
    fit_.scales.assign((delta.size() + kGroupSize - 1) / kGroupSize, options.start_scale);
    fit_.signal = product_.Form();
  }

  TernaryFit Run() {
    for (int sweep = 0; sweep < options_.most_sweeps; ++sweep) {
      const int warm = std::max(0, options_.warm_up_sweeps - 1 - sweep);
      const bool changed = Sweep(std::ldexp(options_.lambda, warm));
      if (warm > 0) continue;
      const bool refitted = RefitScales();
      fit_.objectives.push_back(product_.Form() + options_.lambda * Bits());
      if (!changed && !refitted) break;
    }
    fit_.remaining = product_.Form();
    fit_.bits = Bits();
    return std::move(fit_);
  }

 private:
  double SymbolBits(size_t row, size_t column) const {
    double bits = options_.symbol_bits;
    if (!options_.row_bits.empty()) bits += static_cast<double>(options_.row_bits[row]);
    if (!options_.column_bits.empty()) bits += static_cast<double>(options_.column_bits[column]);
    return std::max(bits, options_.least_symbol_bits);
  }

  double Bits() const {
    double bits = 0;
    for (size_t i = 0; i < fit_.symbols.size(); ++i) {
      if (fit_.symbols[i] != 0) bits += SymbolBits(i / cols_, i % cols_);
    }
    for (const int scale : fit_.scales) bits += scale != options_.start_scale ? options_.scale_bits : 0;
    return bits;
  }

  double Step(size_t i) const { return static_cast<double>(steps_[i / cols_]); }

  bool Fits(size_t i, int change) const {
    return base_.empty() || (base_[i] + change >= -128 && base_[i] + change <= 127);
  }

  // Whether any symbol changed.
  bool Sweep(double lambda) {
    bool changed = false;
    for (size_t begin = 0; begin < cols_; begin += ErrorProduct::kBlockColumns) {
      const size_t end = std::min(cols_, begin + ErrorProduct::kBlockColumns);
      product_.EnterColumns(begin, end);
      for (size_t row = 0; row < curvature_.rows(); ++row) {
        for (size_t column = begin; column < end; ++column) changed |= Choose(row, column, lambda);
      }
      product_.Leave();
    }
    return changed;
  }

  // Whether the symbol changed.
  bool Choose(size_t row, size_t column, double lambda) {
    const size_t i = row * cols_ + column;
    const int now = fit_.symbols[i];
    const int scale = fit_.scales[i / kGroupSize];
    const double step = Step(i) * scale;
    const double gradient = product_.gradient(i);
    const double own = static_cast<double>(curvature_.own(i));
    const double price = lambda * SymbolBits(row, column);
    double best_gain = 0;
    int best = now;
    for (int symbol = -1; symbol <= 1; ++symbol) {
      const double by = (now - symbol) * step;
      const double cost = (symbol != 0 ? price : 0) - (now != 0 ? price : 0);
      const double gain = -(by * gradient + by * by * own / 2 + cost);
      if (gain > best_gain && Fits(i, symbol * scale)) {
        best_gain = gain;
        best = symbol;
      }
    }
    if (best == now) return false;
    fit_.nonzeros += static_cast<size_t>((best != 0) - (now != 0));
    fit_.symbols[i] = static_cast<int8_t>(best);
    product_.Grow(i, (now - best) * step);
    return true;
  }

  // Whether any scale changed.
  bool RefitScales() {
    bool changed = false;
    size_t group = 0;
    for (size_t row = 0; row < curvature_.rows(); ++row) {
      product_.EnterRow(row);
      for (; group < fit_.scales.size() && group * kGroupSize < (row + 1) * cols_; ++group) {
        // What was changed in the row is not yet known to the next one.
        if ((group + 1) * kGroupSize > (row + 1) * cols_) {
          product_.Leave();
          product_.EnterRow(row);
        }
        changed |= RefitScale(group);
      }
      product_.Leave();
    }
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
      slope -= Step(i) * fit_.symbols[i] * product_.gradient(i);
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
      const auto fits = [&](size_t i) { return Fits(i, fit_.symbols[i] * scale); };
      if (cost < best_cost && std::all_of(at.begin(), at.end(), fits)) {
        best_cost = cost;
        best = scale;
      }
    }
    if (best == now) return false;
    for (const size_t i : at) product_.Grow(i, (now - best) * Step(i) * fit_.symbols[i]);
    fit_.scales[group] = best;
    return true;
  }

  absl::Span<const float> steps_;
  absl::Span<const int8_t> base_;
  const Curvature& curvature_;
  const TernaryFitOptions& options_;
  const size_t cols_;
  ErrorProduct product_;  // Of delta less what symbols and scales give.
  TernaryFit fit_;
};

}  // namespace

absl::StatusOr<TernaryFit> FitTernary(absl::string_view tensor, absl::Span<const float> delta,
                                      absl::Span<const float> steps, absl::Span<const int8_t> base,
                                      const Curvature& curvature, const TernaryFitOptions& options) {
  if (absl::Status status = Check(tensor, delta, steps, base, curvature, options); !status.ok()) return status;
  return Descent(delta, steps, base, curvature, options).Run();
}

}  // namespace modelvault
