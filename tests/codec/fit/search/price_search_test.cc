#include "codec/fit/search/price_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace modelvault {
namespace {

constexpr double kAim = 1000;
constexpr double kLeast = 0.995 * kAim;  // Near enough.

// Prices until the size is right; at most 20.
int Tries(const std::function<double(double)>& size_at) {
  PriceSearch search(std::log(1e-3), kAim, PriceSearch::kSlope);
  for (int i = 1; i <= 20; ++i) {
    const double size = size_at(std::exp(search.at()));
    if (size <= kAim && size >= kLeast) return i;
    if (!search.Move(size, size <= kAim)) break;
  }
  return 21;
}

TEST(PriceSearchTest, FindsAPowerLawInAFewTries) {
  // Within the tolerance only if a secant, whose slope is not this one's, is followed.
  EXPECT_LE(Tries([](double price) { return 0.998 * kAim * std::pow(price / 2e-7, -0.3); }), 6);
  EXPECT_LE(Tries([](double price) { return 0.998 * kAim * std::pow(price / 40, -0.9); }), 6);
}

TEST(PriceSearchTest, FindsAPriceBesideAJump) {
  const auto jump = [](double price) { return price < 1e-5 ? 2 * kAim * std::pow(price / 1e-5, -0.1) : 0.997 * kAim; };
  EXPECT_LE(Tries(jump), 12);
}

TEST(PriceSearchTest, EndsWhereNothingLiesBetweenTwoPrices) {
  PriceSearch search(std::log(1e-3), kAim, PriceSearch::kSlope);
  int moves = 0;
  for (bool more = true; more && moves < 100; ++moves) {
    const bool fits = std::exp(search.at()) > 1e-5;
    more = search.Move(fits ? kAim / 2 : 2 * kAim, fits);
  }
  EXPECT_LT(moves, 40);
}

TEST(PriceSearchTest, TellsWhenAHigherPriceSavesNothing) {
  PriceSearch search(0, kAim, PriceSearch::kSlope);
  search.Move(3 * kAim, false);
  EXPECT_FALSE(search.SavesNothing());
  EXPECT_GT(search.at(), 0);
  search.Move(3 * kAim, false);
  EXPECT_TRUE(search.SavesNothing());
  search.Move(2 * kAim, false);
  EXPECT_FALSE(search.SavesNothing());
}

}  // namespace
}  // namespace modelvault
