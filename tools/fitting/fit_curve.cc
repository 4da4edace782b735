#include "tools/fitting/fit_curve.h"

#include <algorithm>
#include <cmath>

#include "tools/fitting/packed_size.h"

namespace modelvault {
namespace {

constexpr int kMostSteps = 8;  // Halvings or doublings of the price.

// What `models` and more variants like them take and lose.
absl::StatusOr<CurvePoint> PointOf(const FitInput& input, const FittedModels& models, uint64_t overhead,
                                   const FitRunOptions& options) {
  const absl::StatusOr<PackedSize> size =
      MeasurePackedSize(input.tensors(), models, options.profile, options.fit.threads);
  if (!size.ok()) return size.status();
  double weights = 0;
  for (const FitTensor& tensor : input.tensors())
    weights += tensor.linear ? static_cast<double>(tensor.base.size()) : 0;
  const double count = static_cast<double>(models.variants.size());
  const double shared = static_cast<double>(size->base + size->model);
  CurvePoint point;
  point.budget = static_cast<double>(overhead) + shared +
                 (static_cast<double>(size->total()) - shared) / count * static_cast<double>(input.variant_count());
  for (const FittedVariant& v : models.variants) {
    point.remaining += v.remaining() / count;
    point.density += static_cast<double>(v.nonzeros()) / weights / count;
  }
  return point;
}

// At `budget`, between two of the points, which are in the order of their budgets; false: below all of them.
bool Interpolate(const std::vector<CurvePoint>& points, double budget, CurvePoint* result) {
  const auto after =
      std::find_if(points.begin(), points.end(), [&](const CurvePoint& p) { return p.budget >= budget; });
  if (after == points.begin() && after->budget > budget) return false;
  const CurvePoint& b = after == points.end() ? points.back() : *after;
  const CurvePoint& a = after == points.begin() || after == points.end() ? b : *(after - 1);
  const double share = b.budget > a.budget ? (budget - a.budget) / (b.budget - a.budget) : 1;
  *result = {budget, a.remaining + share * (b.remaining - a.remaining), a.density + share * (b.density - a.density)};
  return true;
}

}  // namespace

absl::StatusOr<std::vector<CurvePoint>> FitCurve(const FitInput& input, const Fitter& fitter, const FitRun& run,
                                                 uint64_t overhead, const FitRunOptions& options) {
  const absl::StatusOr<CurvePoint> here = PointOf(input, run.models, overhead, options);
  if (!here.ok()) return here.status();
  const auto fit = [&](double lambda) -> absl::StatusOr<CurvePoint> {
    const absl::StatusOr<FittedModels> models =
        fitter.FitSampleVariants(run.models, lambda, [&](absl::string_view, uint64_t done, uint64_t total) {
          ReportProgress(options.progress, "rate and distortion", done, total);
        });
    if (!models.ok()) return models.status();
    return PointOf(input, *models, overhead, options);
  };
  // The sample is to all as it is at this run's price.
  CurvePoint factor{1, 1, 1};
  const auto ratio = [](double a, double b) { return a > 0 && b > 0 ? a / b : 1; };
  if (fitter.sample().size() < input.variant_count()) {
    const absl::StatusOr<CurvePoint> sample = fit(run.lambda);
    if (!sample.ok()) return sample.status();
    factor = {ratio(here->budget, sample->budget), ratio(here->remaining, sample->remaining),
              ratio(here->density, sample->density)};
  }
  const auto [least, most] = std::minmax_element(options.curve.begin(), options.curve.end());
  std::vector<CurvePoint> points = {*here};
  // Prices around this run's until the budgets asked for lie between two points, or nothing changes any more.
  for (const double direction : {1.0, -1.0}) {
    const double wanted = static_cast<double>(options.budget) * (direction > 0 ? *least : *most);
    CurvePoint point = *here;
    for (int i = 1; i <= kMostSteps && (direction > 0 ? point.budget > wanted : point.budget < wanted); ++i) {
      const absl::StatusOr<CurvePoint> next = fit(run.lambda * std::exp2(direction * i));
      if (!next.ok()) return next.status();
      const double previous = point.budget;
      point = {next->budget * factor.budget, next->remaining * factor.remaining, next->density * factor.density};
      points.push_back(point);
      if (point.budget == previous) break;
    }
  }
  std::sort(points.begin(), points.end(), [](const CurvePoint& a, const CurvePoint& b) { return a.budget < b.budget; });
  std::vector<CurvePoint> curve;
  for (const double multiple : options.curve) {
    CurvePoint point;
    if (Interpolate(points, multiple * static_cast<double>(options.budget), &point)) curve.push_back(point);
  }
  return curve;
}

}  // namespace modelvault
