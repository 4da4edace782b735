#include "tools/demo/ternary_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tests/tools/demo/entropy.h"
#include "tests/tools/demo/small_demo.h"
#include "tools/demo/trainer.h"

namespace modelvault::demo {
namespace {

size_t CountNonzeros(const TernaryDelta& delta) {
  size_t count = 0;
  for (const TernaryLayer& layer : delta.layers) {
    for (const int8_t trit : layer.trits) count += trit != 0;
  }
  return count;
}

class TernaryFitTest : public testing::Test {
 protected:
  TernaryFitTest() {
    const Network trained = TrainBase(task_, {options_.task.inputs, 37, 26, options_.task.classes}, options_.base,
                                      /*threads=*/1, /*progress=*/nullptr);
    base_ = Quantize(trained, 31);
    samples_ = task_.DepartmentSamples(0, Split::kFineTune, options_.finetune_samples);
    tuned_ = FineTune(Dequantize(base_), samples_, options_.fine_tuning, /*seed=*/1);
  }

  size_t Score(const Network& network) {
    const Dataset heldout = task_.DepartmentSamples(0, Split::kHeldOut, options_.heldout_samples);
    Workspace workspace;
    return CountCorrect(network, heldout.features, heldout.labels, &workspace);
  }

  const DemoOptions options_ = SmallDemo();
  const Task task_{options_.task};
  Int8Model base_;
  Dataset samples_;
  Network tuned_;
};

TEST_F(TernaryFitTest, FineTuningLeavesTheBiases) {
  for (size_t l = 0; l < tuned_.layers.size(); ++l) {
    EXPECT_EQ(tuned_.layers[l].biases, base_.layers[l].biases);
    EXPECT_NE(tuned_.layers[l].weights, Dequantize(base_).layers[l].weights);
  }
}

TEST_F(TernaryFitTest, ScalesAreZeroExactlyWhereAGroupHasNoTrits) {
  const TernaryDelta delta = FitTernary(base_, tuned_, samples_, options_.ternary, /*seed=*/1);
  size_t empty = 0;
  for (size_t l = 0; l < base_.layers.size(); ++l) {
    const TernaryLayer& layer = delta.layers[l];
    ASSERT_EQ(layer.trits.size(), base_.layers[l].weights.size());
    ASSERT_EQ(layer.scales.size(), (layer.trits.size() + 127) / 128);
    for (size_t g = 0; g < layer.scales.size(); ++g) {
      bool moves = false;
      for (size_t i = 128 * g; i < std::min(128 * (g + 1), layer.trits.size()); ++i) {
        EXPECT_LE(std::abs(layer.trits[i]), 1);
        moves |= layer.trits[i] != 0;
      }
      EXPECT_EQ(layer.scales[g] != 0, moves) << "layer " << l << ", group " << g;
      empty += !moves;
    }
  }
  EXPECT_LT(empty, 5u);
}

TEST_F(TernaryFitTest, SpendsItsNonzerosAndNotOneMore) {
  for (const size_t nonzeros : {0, 1, 40, 300}) {
    TernaryFitting fitting = options_.ternary;
    fitting.nonzeros = nonzeros;
    EXPECT_EQ(CountNonzeros(FitTernary(base_, tuned_, samples_, fitting, /*seed=*/1)), nonzeros);
  }
}

TEST_F(TernaryFitTest, MoreNonzerosThanWeightsAreNotMissed) {
  TernaryFitting fitting = options_.ternary;
  fitting.nonzeros = 1'000'000;
  const size_t count = CountNonzeros(FitTernary(base_, tuned_, samples_, fitting, /*seed=*/1));
  EXPECT_GT(count, 1500u);
}

TEST_F(TernaryFitTest, KeepsMostOfWhatFineTuningGained) {
  const size_t before = Score(Dequantize(base_));
  const size_t tuned = Score(tuned_);
  const size_t after = Score(Dequantize(Apply(base_, FitTernary(base_, tuned_, samples_, options_.ternary, 1))));
  EXPECT_GT(tuned, before + 30);
  EXPECT_GT(after - before, (tuned - before) * 3 / 4) << before << " -> " << tuned << " -> " << after;
}

TEST_F(TernaryFitTest, TrainingTheDeltaBeatsRoundingTheFineTune) {
  TernaryFitting rounding = options_.ternary;
  rounding.steps = 0;
  rounding.nonzeros = 100;
  TernaryFitting training = options_.ternary;
  training.nonzeros = 100;
  const size_t rounded = Score(Dequantize(Apply(base_, FitTernary(base_, tuned_, samples_, rounding, 1))));
  const size_t trained = Score(Dequantize(Apply(base_, FitTernary(base_, tuned_, samples_, training, 1))));
  EXPECT_GT(trained, rounded + 10);
}

// Gradients taken anywhere but at the delta's own model would drive the weights ever further the same way.
TEST_F(TernaryFitTest, ALongFitSettlesOnTheSamplesItSees) {
  TernaryFitting fitting = options_.ternary;
  fitting.steps = 1500;
  fitting.rate = 1e-2f;
  const Network network = Dequantize(Apply(base_, FitTernary(base_, tuned_, samples_, fitting, 1)));
  Workspace workspace;
  EXPECT_GT(CountCorrect(network, samples_.features, samples_.labels, &workspace), samples_.size() * 99 / 100);
}

// The demo's own size, trained for a moment: what 100 departments and the base cost does not depend on how well they
// are trained, but on the grid and the number of nonzeros.
TEST(DemoBudgetTest, BaseAndAHundredDepartmentsFitOneMebibyteWithRoomToSpare) {
  const DemoOptions options;
  const Task task(options.task);
  std::vector<size_t> widths = {options.task.inputs};
  widths.insert(widths.end(), options.hidden_widths.begin(), options.hidden_widths.end());
  widths.push_back(options.task.classes);
  BaseTraining training = options.base;
  training.steps = 60;
  const Int8Model base =
      Quantize(TrainBase(task, widths, training, /*threads=*/2, nullptr), options.base_steps_to_largest);
  const Dataset samples = task.DepartmentSamples(0, Split::kFineTune, 500);
  FineTuning tuning = options.fine_tuning;
  tuning.steps = 40;
  TernaryFitting fitting = options.ternary;
  fitting.steps = 40;
  const TernaryDelta delta = FitTernary(base, FineTune(Dequantize(base), samples, tuning, 1), samples, fitting, 2);

  size_t weights = 0;
  double raw_bytes = 0;
  for (const Int8Layer& layer : base.layers) {
    weights += layer.weights.size();
    raw_bytes += static_cast<double>(layer.weights.size() + 4 * layer.scales.size() + 4 * layer.biases.size());
  }
  EXPECT_GE(weights, 200'000u);
  EXPECT_LE(CountNonzeros(delta), options.ternary.nonzeros);
  const double estimate = EntropyBytes(base) + 100 * EntropyBytes(delta);
  RecordProperty("estimated_bytes", static_cast<int>(estimate));
  EXPECT_LT(estimate, 950'000);
  EXPECT_GE(101 * raw_bytes, 15 * 1024 * 1024);
}

}  // namespace
}  // namespace modelvault::demo
