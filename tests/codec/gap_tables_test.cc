// Recomputes the generated tables from the formulas of docs/format.md §6.
#include "codec/core/gap_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codec/rans_encoder.h"

namespace modelvault {
namespace {

double Hazard(double level) { return 4 * std::exp2(-level / 4); }

TEST(GapTablesTest, StartsFollowTheGeometricLaw) {
  for (unsigned table = 0; table < kGapTableCount; ++table) {
    int starts[kGapSymbolCount + 1];
    for (unsigned q = 0; q < kGapSymbolCount; ++q) {
      starts[q] = static_cast<int>(std::lround(4096 * (1 - std::exp(-Hazard(table) * q))));
    }
    // Every symbol keeps a slot.
    starts[kGapSymbolCount] = 4096;
    for (unsigned q = kGapSymbolCount; q-- > 0;) starts[q] = std::min(starts[q], starts[q + 1] - 1);
    for (unsigned q = 0; q < kGapSymbolCount; ++q) {
      EXPECT_EQ(kGapStarts[table][q], starts[q]) << "table " << table << " symbol " << q;
      EXPECT_LT(starts[q], starts[q + 1]);
    }
    EXPECT_EQ(kGapStarts[table][0], 0);
  }
}

TEST(GapTablesTest, LookupsAreThoseStartsAndTheOwnersOfEverySixtyFourthSlotButTheEscape) {
  for (unsigned table = 0; table < kGapTableCount; ++table) {
    for (unsigned i = 0; i < 64; ++i) {
      unsigned owner = 0;
      for (unsigned q = 0; q < kGapSymbolCount - 1; ++q) {
        if (kGapStarts[table][q] <= 64 * i) owner = q;
      }
      EXPECT_EQ(FindGapLookup(table)->first[i], owner) << table << " " << i;
    }
    for (unsigned q = 0; q < kGapSymbolCount; ++q) {
      EXPECT_EQ(FindGapLookup(table)->starts[q], kGapStarts[table][q]) << table << " " << q;
    }
  }
}

TEST(GapTablesTest, EveryLevelHasATableOfItsHazard) {
  for (unsigned level = 0; level < kLevelCount; ++level) {
    const unsigned shift = GapShift(level);
    ASSERT_LT(GapTable(level), kGapTableCount) << level;
    EXPECT_EQ(shift == 0, level <= 20) << level;
    // A symbol of the table stands for 2^shift weights.
    EXPECT_NEAR(Hazard(GapTable(level)), Hazard(level) * std::exp2(shift), 1e-12) << level;
    if (level > 20) {
      EXPECT_EQ(shift, static_cast<unsigned>(std::ceil((level - 20) / 4.0))) << level;
    }
  }
}

TEST(GapTablesTest, ClassesStepByHalfOctavesAndTheLastToTheBottom) {
  for (unsigned c = 0; c < 15; ++c) EXPECT_EQ(ClassStep(c), 2 * c);
  EXPECT_EQ(ClassStep(15), 48u);
}

TEST(CostTablesTest, LevelsCostWhatTheirChanceToDifferSays) {
  for (unsigned level = 0; level < kLevelCount; ++level) {
    EXPECT_EQ(HitCost(level), std::lround(-65536 * std::log2(-std::expm1(-Hazard(level))))) << level;
    EXPECT_EQ(MissCost(level), std::max(1l, std::lround(65536 * Hazard(level) / std::log(2.0)))) << level;
  }
}

TEST(CostTablesTest, FrequenciesCostTheirLogarithm) {
  for (uint32_t f = 1; f <= kProbabilityScale; ++f) {
    ASSERT_EQ(FrequencyCost(f), std::lround(-65536 * std::log2(f / 4096.0))) << f;
  }
}

}  // namespace
}  // namespace modelvault
