#include "codec/fit/quantiser/ternary_fit.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/core/codec_format.h"
#include "codec/fit/quantiser/error_product.h"

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

// Bits of a change by `steps`, beyond those of differing at all, where each weight says its own: the rough price of an
// adaptive code of its length and of its other bits.
double MagnitudeBits(int steps) { return 2 + std::log2(std::abs(steps)); }

constexpr double kSurely = 0.9999;  // Of a bound: rounding does not matter to what is below.
// Bits that a group must save to escape: more than the price of an adaptive code may be wrong by.
constexpr double kWorthwhile = 1024;

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
    fit_.changes.resize(delta.size());
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
      fit_.objectives.push_back(Objective());
      if (!changed && !refitted) break;
    }
    if (options_.escapes) Escape();
    product_.Renew();
    fit_.remaining = product_.Form();
    fit_.bits = Bits();
    return std::move(fit_);
  }

 private:
  // A weight of a group, and the grid's step there.
  struct Place {
    size_t at, row, column;
    double step;
  };

  double SymbolBits(size_t row, size_t column) const {
    return AtLeast(row, options_.column_bits.empty() ? 0 : static_cast<double>(options_.column_bits[column]));
  }

  double AtLeast(size_t row, double column_bits) const {
    double bits = options_.symbol_bits + column_bits;
    if (!options_.row_bits.empty()) bits += static_cast<double>(options_.row_bits[row]);
    return std::max(bits, options_.least_symbol_bits);
  }

  // Of a weight's change; `escaped` where its group has no scale.
  double ChangeBits(size_t row, size_t column, int change, bool escaped) const {
    if (change == 0) return 0;
    return SymbolBits(row, column) + (escaped ? MagnitudeBits(change) : 0);
  }

  double ScaleBits(int scale) const { return scale != options_.start_scale ? options_.scale_bits : 0; }

  double Bits() const {
    double bits = 0;
    for (size_t i = 0; i < fit_.changes.size(); ++i) {
      bits += ChangeBits(i / cols_, i % cols_, fit_.changes[i], fit_.scales[i / kGroupSize] == 0);
    }
    for (const int scale : fit_.scales) bits += ScaleBits(scale);
    return bits;
  }

  double Objective() const { return product_.Form() + options_.lambda * Bits(); }

  double Step(size_t row) const { return static_cast<double>(steps_[row]); }

  bool Fits(size_t i, int change) const {
    return base_.empty() || (base_[i] + change >= -128 && base_[i] + change <= 127);
  }

  // Whether any weight changed.
  bool Sweep(double lambda) {
    bool changed = false;
    for (size_t begin = 0; begin < cols_; begin += ErrorProduct::kBlock) {
      const size_t end = std::min(cols_, begin + ErrorProduct::kBlock);
      product_.EnterColumns(begin, end);
      for (size_t row = 0; row < curvature_.rows(); ++row) {
        // A group may end inside.
        for (size_t from = begin; from < end;) {
          const size_t i = row * cols_ + from;
          const size_t to = std::min(end, from + kGroupSize - i % kGroupSize);
          changed |= SweepInGroup(row, from, to, lambda);
          from = to;
        }
      }
      product_.Leave();
    }
    return changed;
  }

  // The weights [from, to) of a row, all of one group.
  bool SweepInGroup(size_t row, size_t from, size_t to, double lambda) {
    const size_t i = row * cols_ + from;
    const int scale = fit_.scales[i / kGroupSize];
    const float* const gradients = product_.gradients(row, from);
    const int16_t* const changes = fit_.changes.data() + i;
    const size_t count = to - from;
    // Most weights stay 0, and by far: up to this gradient no symbol pays.
    const float least = scale > 0 ? static_cast<float>(kSurely * lambda * least_bits_[row] / (scale * Step(row))) : -1;
    int candidates = 0;
    for (size_t k = 0; k < count; ++k) candidates |= (std::abs(gradients[k]) > least) | (changes[k] != 0);
    if (candidates == 0) return false;
    bool changed = false;
    for (size_t k = 0; k < count; ++k) {
      if (changes[k] == 0 && std::abs(gradients[k]) <= least) continue;
      changed |= scale > 0 ? Choose(row, from + k, lambda, {-scale, 0, scale}) : ChooseFreely(row, from + k, lambda);
    }
    return changed;
  }

  bool ChooseFreely(size_t row, size_t column, double lambda) {
    const int now = fit_.changes[row * cols_ + column];
    const int ideal = Ideal({row * cols_ + column, row, column, Step(row)});
    return Choose(row, column, lambda, {0, ideal, now - 1, now + 1});
  }

  // Takes whichever of `changes` is the best, if one is better than what is; whether it was.
  bool Choose(size_t row, size_t column, double lambda, std::initializer_list<int> changes) {
    const size_t i = row * cols_ + column;
    const int now = fit_.changes[i];
    const bool escaped = fit_.scales[i / kGroupSize] == 0;
    const double gradient = product_.gradient(row, column);
    const double own = static_cast<double>(curvature_.own(row, column));
    const double spent = lambda * ChangeBits(row, column, now, escaped);
    double best_gain = 0;
    int best = now;
    for (const int change : changes) {
      const double by = (now - change) * Step(row);
      const double gain =
          -(by * gradient + by * by * own / 2 + (lambda * ChangeBits(row, column, change, escaped) - spent));
      if (gain > best_gain && Fits(i, change)) {
        best_gain = gain;
        best = change;
      }
    }
    if (best == now) return false;
    fit_.nonzeros += static_cast<size_t>((best != 0) - (now != 0));
    fit_.changes[i] = static_cast<int16_t>(best);
    product_.Grow(row, column, (now - best) * Step(row));
    return true;
  }

  // The change that would leave least of the form, all others fixed and bits for nothing; a grid's range at most.
  int Ideal(const Place& place) const {
    const double own = static_cast<double>(curvature_.own(place.row, place.column));
    const double more = product_.gradient(place.row, place.column) / (own * place.step);
    return static_cast<int>(std::lround(std::clamp(fit_.changes[place.at] + more, -127.0, 127.0)));
  }

  // Has `visit` called for each group, in order; R is exact in its rows.
  template <typename Visit>
  bool WalkGroups(const Visit& visit) {
    bool changed = false;
    size_t entered = 0;  // End of the rows that the walk is in.
    for (size_t group = 0; group < fit_.scales.size(); ++group) {
      const size_t begin = group * kGroupSize / cols_;
      const size_t end = (std::min(fit_.changes.size(), (group + 1) * kGroupSize) - 1) / cols_ + 1;
      if (end > entered) {
        if (entered > 0) product_.Leave();
        entered = std::max(end, std::min(curvature_.rows(), begin + ErrorProduct::kBlock));
        product_.EnterRows(begin, entered);
      }
      changed |= visit(group);
    }
    product_.Leave();
    return changed;
  }

  // Whether any scale changed.
  bool RefitScales() {
    return WalkGroups([&](size_t group) { return fit_.scales[group] > 0 && RefitScale(group); });
  }

  // The weights of a group whose change is not 0, or all.
  std::vector<Place> PlacesOf(size_t group, bool all) const {
    std::vector<Place> places;
    const size_t end = std::min(fit_.changes.size(), (group + 1) * kGroupSize);
    for (size_t i = group * kGroupSize; i < end; ++i) {
      if (all || fit_.changes[i] != 0) places.push_back({i, i / cols_, i % cols_, Step(i / cols_)});
    }
    return places;
  }

  bool RefitScale(size_t group) {
    const std::vector<Place> places = PlacesOf(group, false);
    if (places.empty()) return false;
    const size_t count = places.size();
    const int now = fit_.scales[group];
    // The form's terms between changes by a step each, with their symbols' signs.
    std::vector<double> slopes(count), between(count * count);
    double slope = 0;  // A scale larger by x costs slope * x + curve * x² / 2.
    double curve = 0;
    for (size_t a = 0; a < count; ++a) {
      const double step = Signed(places[a]);
      slopes[a] = -step * product_.gradient(places[a].row, places[a].column);
      slope += slopes[a];
      for (size_t b = 0; b < a; ++b) {
        between[a * count + b] = between[b * count + a] = step * Signed(places[b]) * Between(places[a], places[b]);
        curve += 2 * between[a * count + b];
      }
      between[a * count + a] = step * step * Between(places[a], places[a]);
      curve += between[a * count + a];
    }
    const double ideal = now - slope / curve;
    int best = now;
    std::vector<double> best_more;
    double best_cost = options_.lambda * ScaleBits(now);
    std::vector<double> more(count);
    for (const double candidate : {std::floor(ideal), std::ceil(ideal), static_cast<double>(options_.start_scale)}) {
      const int scale = static_cast<int>(std::clamp(candidate, 1.0, static_cast<double>(options_.most_scale)));
      if (scale == now) continue;
      double cost = options_.lambda * ScaleBits(scale);
      // One weight at the end of the range must not keep all others from their scale: its symbol becomes 0.
      for (size_t a = 0; a < count; ++a) {
        const bool fits = Fits(places[a].at, SymbolAt(places[a]) * scale);
        more[a] = (fits ? scale : 0) - now;
        if (!fits) cost -= options_.lambda * SymbolBits(places[a].row, places[a].column);
      }
      for (size_t a = 0; a < count; ++a) {
        double coupled = 0;
        for (size_t b = 0; b < count; ++b) coupled += more[b] * between[a * count + b];
        cost += more[a] * (slopes[a] + coupled / 2);
      }
      if (cost < best_cost) {
        best_cost = cost;
        best = scale;
        best_more = more;
      }
    }
    if (best == now) return false;
    std::vector<size_t> at;
    std::vector<double> by;
    for (size_t a = 0; a < count; ++a) {
      const int symbol = SymbolAt(places[a]);
      at.push_back(places[a].at);
      by.push_back(-best_more[a] * Signed(places[a]));
      const int change = symbol * (now + static_cast<int>(best_more[a]));
      fit_.changes[places[a].at] = static_cast<int16_t>(change);
      if (change == 0) --fit_.nonzeros;
    }
    product_.Grow(at, by);
    fit_.scales[group] = best;
    return true;
  }

  int SymbolAt(const Place& place) const { return fit_.changes[place.at] > 0 ? 1 : -1; }
  double Signed(const Place& place) const { return place.step * SymbolAt(place); }
  double Between(const Place& a, const Place& b) const { return curvature_.Between(a.row, a.column, b.row, b.column); }

  // Lets groups that no single scale explains escape from having one, if all in all that costs less.
  void Escape() {
    std::vector<size_t> groups;
    for (size_t group = 0; group < fit_.scales.size(); ++group) {
      if (MightGain(group) && WouldGain(group)) groups.push_back(group);
    }
    if (groups.empty()) return;
    const TernaryFit before = fit_;
    const double objective = Objective();
    for (const size_t group : groups) fit_.scales[group] = 0;
    for (int sweep = 0; sweep < options_.most_sweeps; ++sweep) {
      const bool changed = Sweep(options_.lambda);
      if (!RefitScales() && !changed) break;
    }
    const double escaped = Objective();
    if (escaped < objective) {
      fit_.objectives.push_back(escaped);
      return;
    }
    Restore(before);
  }

  void Restore(const TernaryFit& before) {
    for (size_t begin = 0; begin < cols_; begin += ErrorProduct::kBlock) {
      const size_t end = std::min(cols_, begin + ErrorProduct::kBlock);
      product_.EnterColumns(begin, end);
      for (size_t row = 0; row < curvature_.rows(); ++row) {
        for (size_t column = begin; column < end; ++column) {
          const size_t i = row * cols_ + column;
          const int by = fit_.changes[i] - before.changes[i];
          if (by != 0) product_.Grow(row, column, by * Step(row));
        }
      }
      product_.Leave();
    }
    fit_ = before;
  }

  // False if a group surely would not gain: even if each weight's error went away and all magnitudes were small.
  bool MightGain(size_t group) const {
    const size_t begin = group * kGroupSize;
    const size_t end = std::min(fit_.changes.size(), begin + kGroupSize);
    double gain = -options_.lambda * kWorthwhile;
    size_t row = begin / cols_;
    size_t column = begin % cols_;
    for (size_t i = begin; i < end; ++i) {
      const double gradient = product_.gradient(row, column);
      const double twice_own = 2 * static_cast<double>(curvature_.own(row, column));
      const double price = options_.lambda * (fit_.changes[i] == 0 ? least_bits_[row] : MagnitudeBits(1));
      if (fit_.changes[i] != 0 || gradient * gradient > price * twice_own)
        gain += gradient * gradient / twice_own - price;
      if (++column < cols_) continue;
      column = 0;
      ++row;
    }
    return gain > 0;
  }

  // Whether a group would cost less, as near as its own weights can tell, if each had its own change.
  bool WouldGain(size_t group) const {
    std::vector<Place> moved;
    std::vector<double> by;  // Of the error.
    double alone = 0;        // What each would gain with the others as they are.
    double bits = kWorthwhile + options_.scale_bits - ScaleBits(fit_.scales[group]);
    for (const Place& place : PlacesOf(group, true)) {
      const int now = fit_.changes[place.at];
      const double own = static_cast<double>(curvature_.own(place.row, place.column));
      const double gradient = product_.gradient(place.row, place.column);
      const double spent = ChangeBits(place.row, place.column, now, false);
      int best = now;
      double best_gain = -INFINITY;
      double best_bits = 0, best_alone = 0;
      for (const int change : {now, Ideal(place)}) {
        const double grown = (now - change) * place.step;
        const double gain = -(grown * gradient + grown * grown * own / 2);
        const double more = ChangeBits(place.row, place.column, change, true) - spent;
        if (gain - options_.lambda * more <= best_gain || !Fits(place.at, change)) continue;
        best = change;
        best_gain = gain - options_.lambda * more;
        best_bits = more;
        best_alone = gain;
      }
      bits += best_bits;
      alone += best_alone;
      if (best == now) continue;
      moved.push_back(place);
      by.push_back((now - best) * place.step);
    }
    if (alone <= options_.lambda * bits) return false;
    double slope = 0, curve = 0;  // Along all these changes at once.
    for (size_t a = 0; a < moved.size(); ++a) {
      slope -= by[a] * product_.gradient(moved[a].row, moved[a].column);
      for (size_t b = 0; b < moved.size(); ++b) curve += by[a] * by[b] * Between(moved[a], moved[b]);
    }
    return slope > 0 && slope * slope / (2 * curve) > options_.lambda * bits;
  }

  absl::Span<const float> steps_;
  absl::Span<const int8_t> base_;
  const Curvature& curvature_;
  const TernaryFitOptions& options_;
  const size_t cols_;
  ErrorProduct product_;            // Of delta less what the changes give.
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
