#include "tools/demo/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/tools/demo/small_demo.h"
#include "tools/demo/departments.h"
#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

TEST(RandomTest, NormalHasMeanZeroAndVarianceOne) {
  Random random(1);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.Normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.02);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
}

// Holds the generator: other numbers here would be other models in every demo.
TEST(RandomTest, FirstNumbersAreKnown) {
  Random random(1, 2, 3);
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 3; ++i) numbers.push_back(random.Next());
  EXPECT_THAT(numbers, testing::ElementsAre(0x214d4c07ecfeaac5, 0x6ff419cb83dfe1e6, 0xf475ff91157f0556));
}

TEST(DepartmentNamesTest, AreAHundredDistinctFileNames) {
  std::set<std::string> names;
  for (const absl::string_view name : DepartmentNames()) {
    names.insert(std::string(name));
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), absl::string_view::npos) << name;
  }
  EXPECT_EQ(names.size(), 100u);
}

TEST(TaskTest, SamplesDependOnSeedDepartmentAndSplitOnly) {
  const TaskOptions options = SmallDemo().task;
  const Dataset samples = Task(options).DepartmentSamples(1, Split::kHeldOut, 50);
  ASSERT_EQ(samples.size(), 50u);
  ASSERT_EQ(samples.features.size(), 50 * options.inputs);

  const Dataset again = Task(options).DepartmentSamples(1, Split::kHeldOut, 60);
  EXPECT_EQ(std::vector<float>(again.features.begin(), again.features.begin() + samples.features.size()),
            samples.features)
      << "asking for more changes the first ones";

  TaskOptions other = options;
  other.seed += 1;
  EXPECT_NE(Task(other).DepartmentSamples(1, Split::kHeldOut, 50).features, samples.features);
  EXPECT_NE(Task(options).DepartmentSamples(2, Split::kHeldOut, 50).features, samples.features);
}

using Rows = std::set<std::vector<float>>;

Rows RowsOf(const Dataset& dataset) {
  Rows rows;
  for (size_t s = 0; s < dataset.size(); ++s) {
    const auto begin = dataset.features.begin() + s * dataset.inputs;
    rows.insert(std::vector<float>(begin, begin + dataset.inputs));
  }
  return rows;
}

TEST(TaskTest, HeldOutSamplesAreInNoTrainingSplit) {
  const Task task(SmallDemo().task);
  const Rows heldout = RowsOf(task.DepartmentSamples(0, Split::kHeldOut, 300));
  EXPECT_EQ(heldout.size(), 300u);
  for (const Dataset& training : {task.DepartmentSamples(0, Split::kFineTune, 300), task.MixedSamples(0, 300)}) {
    for (const std::vector<float>& row : RowsOf(training)) EXPECT_EQ(heldout.count(row), 0u);
  }
}

TEST(TaskTest, NoSampleIsInTwoBatchesOfTheMixture) {
  const Task task(SmallDemo().task);
  Rows seen;
  for (uint64_t batch = 0; batch < 20; ++batch) seen.merge(RowsOf(task.MixedSamples(batch, 16)));
  EXPECT_EQ(seen.size(), 20u * 16u);
  EXPECT_EQ(task.MixedSamples(1, 8).features, task.MixedSamples(1, 8).features);
}

TEST(TaskTest, EveryClassOccursAndNoOther) {
  const TaskOptions options = SmallDemo().task;
  const Dataset samples = Task(options).MixedSamples(0, 2000);
  const std::set<uint32_t> labels(samples.labels.begin(), samples.labels.end());
  EXPECT_EQ(labels.size(), options.classes);
  EXPECT_LT(*labels.rbegin(), options.classes);
}

TEST(TaskTest, ADisagreementIsAFindingWithTwoClasses) {
  TaskOptions options = SmallDemo().task;
  // Without noise to speak of, samples of a finding lie around its typical patient.
  options.finding_spread = 1000;
  options.department_shift = 0;
  const Task task(options);
  const std::optional<Disagreement> found = task.FindDisagreement(0, 1);
  ASSERT_TRUE(found.has_value());
  EXPECT_NE(found->first_class, found->second_class);
  ASSERT_EQ(found->measurements.size(), options.inputs);
  const auto label_of = [&](size_t department) {
    const Dataset samples = task.DepartmentSamples(department, Split::kHeldOut, 500);
    for (size_t s = 0; s < samples.size(); ++s) {
      float largest = 0;
      for (size_t i = 0; i < options.inputs; ++i) {
        largest = std::max(largest, std::abs(samples.features[s * options.inputs + i] - found->measurements[i]));
      }
      if (largest < 10) return static_cast<int>(samples.labels[s]);
    }
    return -1;
  };
  EXPECT_EQ(label_of(0), static_cast<int>(found->first_class));
  EXPECT_EQ(label_of(1), static_cast<int>(found->second_class));
  EXPECT_FALSE(task.FindDisagreement(0, 0).has_value());
}

TEST(TaskTest, WithoutShiftAndOwnRulesDepartmentsShareFindingsAndClasses) {
  // Without noise to speak of, equal measurements show equal findings.
  TaskOptions options = SmallDemo().task;
  options.finding_spread = 1000;
  options.department_shift = 0;
  const auto class_by_finding = [&](size_t department) {
    std::map<std::vector<int>, uint32_t> classes;
    const Dataset samples = Task(options).DepartmentSamples(department, Split::kFineTune, 2000);
    for (size_t s = 0; s < samples.size(); ++s) {
      std::vector<int> finding;
      // Only measurements far from 0, whose sign the noise cannot turn.
      for (size_t i = 0; i < options.inputs; ++i) {
        const float value = samples.features[s * options.inputs + i];
        finding.push_back(value > 10 ? 1 : value < -10 ? -1 : 0);
      }
      classes[finding] = samples.labels[s];
    }
    return classes;
  };
  options.own_rules = 0;
  EXPECT_EQ(class_by_finding(0), class_by_finding(1));
  options.own_rules = 0.5f;
  EXPECT_NE(class_by_finding(0), class_by_finding(1));
}

}  // namespace
}  // namespace modelvault::demo
