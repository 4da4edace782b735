#include "codec/fit/search/price_search.h"

#include <algorithm>
#include <cmath>

namespace modelvault {
namespace {

constexpr double kNarrow = 1e-3;      // Prices so near each other are one.
constexpr double kFurther = 1.1;      // Than the secant says, to have what is looked for between two prices.
constexpr double kNear = 0.05;        // Of log size: so near, the secant is right.
constexpr double kMostAtOnce = 4;     // Of log price.
constexpr double kMeasurable = 0.01;  // Prices nearer each other tell no slope: sizes jump.

}  // namespace

PriceSearch::PriceSearch(double at, double aim, double slope) : at_(at), log_aim_(std::log(aim)), slope_(slope) {}

bool PriceSearch::Move(double size, bool fits) {
  const Point point{at_, std::log(size)};
  saves_nothing_ = !fits && above_.has_value() && point.log_size >= above_->log_size;
  if (!fits) {
    above_ = point;
  } else if (!below_.has_value() || point.log_size >= below_->log_size) {
    below_ = point;
  }
  if (last_.has_value() && std::abs(point.log_price - last_->log_price) > kMeasurable) {
    const double measured = (point.log_size - last_->log_size) / (point.log_price - last_->log_price);
    slope_ = std::clamp(measured, -2.0, -0.05);
  }
  last_ = point;
  if (!below_.has_value() || !above_.has_value()) {
    const double missing = log_aim_ - point.log_size;
    at_ += std::clamp(missing / slope_ * (std::abs(missing) > kNear ? kFurther : 1), -kMostAtOnce, kMostAtOnce);
    return true;
  }
  const double gap = below_->log_price - above_->log_price;
  if (std::abs(gap) < kNarrow) return false;
  const double share = (above_->log_size - log_aim_) / (above_->log_size - below_->log_size);
  at_ = above_->log_price + gap * (halve_ ? 0.5 : std::clamp(share, 0.05, 0.95));
  halve_ = !halve_;
  return true;
}

}  // namespace modelvault
