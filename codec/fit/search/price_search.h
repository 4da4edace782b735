// The price of a bit at which everything takes just as many bytes as it may.
#ifndef MODELVAULT_CODEC_FIT_SEARCH_PRICE_SEARCH_H_
#define MODELVAULT_CODEC_FIT_SEARCH_PRICE_SEARCH_H_

#include <optional>

namespace modelvault {

// The secant method on the logarithms of price and size; once a price that fits and one that does not are known, in
// turns with halving what lies between them, because sizes may jump.
class PriceSearch {
 public:
  static constexpr double kSlope = -0.6;  // Of log size over log price, as long as none was measured.

  // Begins at the price exp(at); looks for the size `aim`, positive. `slope` is negative.
  PriceSearch(double at, double aim, double slope);

  // Logarithm of the price to be tried.
  double at() const { return at_; }
  double slope() const { return slope_; }

  // At at(), everything takes `size`, which is within what it may or is not. Moves on; false: no other price is left
  // between two that are as good as one.
  bool Move(double size, bool fits);

  // Whether the last Move, at a price that does not fit, found no fewer bytes than a lower price had.
  bool SavesNothing() const { return saves_nothing_; }

 private:
  struct Point {
    double log_price;
    double log_size;
  };

  double at_;
  double log_aim_;
  double slope_;
  bool halve_ = false;
  bool saves_nothing_ = false;
  std::optional<Point> below_, above_, last_;  // Of what it may take; before this.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_SEARCH_PRICE_SEARCH_H_
