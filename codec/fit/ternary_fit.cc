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
    float least = 0;
    if (!options.column_bits.empty()) least = *std::min_element(options.column_bits.begin(), options.column_bits.end());
    for (size_t row = 0; row < curvature.rows(); ++row) least_bits_.push_back(AtLeast(row, static_cast<double>(least)));
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
    product_.Renew();
    fit_.remaining = product_.Form();
    fit_.bits = Bits();
    return std::move(fit_);
  }

 private:
  double SymbolBits(size_t row, size_t column) const {
    return AtLeast(row, options_.column_bits.empty() ? 0 : static_cast<double>(options_.column_bits[column]));
  }

  double AtLeast(size_t row, double column_bits) const {
    double bits = options_.symbol_bits + column_bits;
    if (!options_.row_bits.empty()) bits += static_cast<double>(options_.row_bits[row]);
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

  double Step(size_t row) const { return static_cast<double>(steps_[row]); }

  bool Fits(size_t i, int change) const {
    return base_.empty() || (base_[i] + change >= -128 && base_[i] + change <= 127);
  }

  // Whether any symbol changed.
  bool Sweep(double lambda) {
    bool changed = false;
    for (size_t begin = 0; begin < cols_; begin += ErrorProduct::kBlock) {
      const size_t end = std::min(cols_, begin + ErrorProduct::kBlock);
      product_.EnterColumns(begin, end);
      for (size_t row = 0; row < curvature_.rows(); ++row) {
        const double step = Step(row);
        const double least_price = lambda * least_bits_[row];
        for (size_t column = begin; column < end; ++column) {
          const size_t i = row * cols_ + column;
          // Most weights stay 0, and by far.
          if (fit_.symbols[i] == 0 &&
              fit_.scales[i / kGroupSize] * step * std::abs(product_.gradient(row, column)) <= least_price) {
            continue;
          }
          changed |= Choose(row, column, lambda);
        }
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
    const double step = Step(row) * scale;
    const double gradient = product_.gradient(row, column);
    const double own = static_cast<double>(curvature_.own(row, column));
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
    product_.Grow(row, column, (now - best) * step);
    return true;
  }

  // Whether any scale changed.
  bool RefitScales() {
    bool changed = false;
    size_t entered = 0;  // End of the rows that the walk is in.
    for (size_t group = 0; group < fit_.scales.size(); ++group) {
      const size_t begin = group * kGroupSize / cols_;
      const size_t end = (std::min(fit_.symbols.size(), (group + 1) * kGroupSize) - 1) / cols_ + 1;
      if (end > entered) {
        if (entered > 0) product_.Leave();
        entered = std::max(end, std::min(curvature_.rows(), begin + ErrorProduct::kBlock));
        product_.EnterRows(begin, entered);
      }
      changed |= RefitScale(group);
    }
    product_.Leave();
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
    struct Place {
      size_t row, column;
      double step;  // With its symbol's sign.
    };
    std::vector<Place> places;
    for (const size_t i : at) places.push_back({i / cols_, i % cols_, Step(i / cols_) * fit_.symbols[i]});
    for (const Place& a : places) {
      slope -= a.step * product_.gradient(a.row, a.column);
      double coupled = 0;
      for (const Place& b : places) coupled += b.step * curvature_.Between(a.row, a.column, b.row, b.column);
      curve += a.step * coupled;
    }
    const int now = fit_.scales[group];
    const double ideal = now - slope / curve;
    const auto bits = [&](int scale) { return scale != options_.start_scale ? options_.scale_bits : 0; };
    int best = now;
    std::vector<double> best_by;
    double best_cost = options_.lambda * bits(now);
    for (const double candidate : {std::floor(ideal), std::ceil(ideal), static_cast<double>(options_.start_scale)}) {
      const int scale = static_cast<int>(std::clamp(candidate, 1.0, static_cast<double>(options_.most_scale)));
      const double x = scale - now;
      double cost = slope * x + curve * x * x / 2;
      std::vector<double> by;
      bool all_fit = true;
      for (size_t k = 0; k < at.size(); ++k) {
        const bool fits = Fits(at[k], fit_.symbols[at[k]] * scale);
        all_fit &= fits;
        by.push_back((fits ? now - scale : now) * places[k].step);
      }
      // One weight at the end of the range must not keep all others from their scale: its symbol becomes 0.
      if (!all_fit) {
        cost = 0;
        for (size_t a = 0; a < at.size(); ++a) {
          const Place& of = places[a];
          if (!Fits(at[a], fit_.symbols[at[a]] * scale)) cost -= options_.lambda * SymbolBits(of.row, of.column);
          cost += by[a] * product_.gradient(of.row, of.column);
          for (size_t b = 0; b < at.size(); ++b) {
            cost += by[a] * by[b] * curvature_.Between(of.row, of.column, places[b].row, places[b].column) / 2;
          }
        }
      }
      cost += options_.lambda * bits(scale);
      if (cost < best_cost) {
        best_cost = cost;
        best = scale;
        best_by = std::move(by);
      }
    }
    if (best == now) return false;
    for (const size_t i : at) {
      if (Fits(i, fit_.symbols[i] * best)) continue;
      fit_.symbols[i] = 0;
      --fit_.nonzeros;
    }
    product_.Grow(at, best_by);
    fit_.scales[group] = best;
    return true;
  }

  absl::Span<const float> steps_;
  absl::Span<const int8_t> base_;
  const Curvature& curvature_;
  const TernaryFitOptions& options_;
  const size_t cols_;
  ErrorProduct product_;            // Of delta less what symbols and scales give.
  std::vector<double> least_bits_;  // Of any symbol in a row.
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
