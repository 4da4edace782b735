#include "tools/demo/task.h"

#include <algorithm>

#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

// Streams of random numbers; a department's splits take three streams from kFirstSplitStream on.
constexpr uint64_t kSharedStream = 1;
constexpr uint64_t kDepartmentStream = 2;
constexpr uint64_t kMixtureStream = 3;
constexpr uint64_t kFirstSplitStream = 16;
constexpr uint64_t kSplits = 3;

// A common finding is this many times as frequent as a rare one; a quarter of a department's findings are common.
constexpr uint32_t kCommonWeight = 3;
constexpr uint32_t kCommonOneIn = 4;

}  // namespace

Task::Task(const TaskOptions& options) : options_(options) {
  Random shared(options.seed, kSharedStream);
  std::vector<float> centres(options.findings * options.inputs);
  for (float& centre : centres) centre = options.finding_spread * shared.Normal();
  const auto class_count = static_cast<uint32_t>(options.classes);
  departments_.resize(options.departments);
  for (size_t d = 0; d < options.departments; ++d) {
    Random own(options.seed, kDepartmentStream, d);
    Department& department = departments_[d];
    department.centres = centres;
    for (float& centre : department.centres) centre += options.department_shift * own.Normal();
    for (size_t f = 0; f < options.findings; ++f) {
      auto label = static_cast<uint32_t>(f % options.classes);
      if (own.Unit() < options.own_rules) label = (label + 1 + own.Below(class_count - 1)) % class_count;
      department.classes.push_back(label);
      const uint32_t weight = own.Below(kCommonOneIn) == 0 ? kCommonWeight : 1;
      department.finding_draw.insert(department.finding_draw.end(), weight, static_cast<uint32_t>(f));
    }
  }
}

Dataset Task::DepartmentSamples(size_t department, Split split, size_t count) const {
  Dataset dataset;
  dataset.inputs = options_.inputs;
  dataset.features.reserve(count * options_.inputs);
  const uint64_t stream = kFirstSplitStream + department * kSplits + static_cast<uint64_t>(split);
  for (size_t i = 0; i < count; ++i) AppendSample(departments_[department], stream, i, &dataset);
  return dataset;
}

Dataset Task::MixedSamples(uint64_t batch, size_t count) const {
  Dataset dataset;
  dataset.inputs = options_.inputs;
  dataset.features.reserve(count * options_.inputs);
  Random mixture(options_.seed, kMixtureStream, batch);
  for (size_t i = 0; i < count; ++i) {
    const size_t department = mixture.Below(static_cast<uint32_t>(departments_.size()));
    const uint64_t stream = kFirstSplitStream + department * kSplits + static_cast<uint64_t>(Split::kBase);
    AppendSample(departments_[department], stream, batch * count + i, &dataset);
  }
  return dataset;
}

std::optional<Disagreement> Task::FindDisagreement(size_t first, size_t second) const {
  const Department& a = departments_[first];
  const Department& b = departments_[second];
  const auto frequency = [&](size_t finding) {
    const auto in = [&](const Department& d) {
      return std::count(d.finding_draw.begin(), d.finding_draw.end(), static_cast<uint32_t>(finding));
    };
    return std::min(in(a), in(b));
  };
  std::optional<size_t> best;
  for (size_t finding = 0; finding < options_.findings; ++finding) {
    if (a.classes[finding] == b.classes[finding]) continue;
    if (!best.has_value() || frequency(finding) > frequency(*best)) best = finding;
  }
  if (!best.has_value()) return std::nullopt;
  Disagreement found{{}, a.classes[*best], b.classes[*best]};
  for (size_t i = *best * options_.inputs; i < (*best + 1) * options_.inputs; ++i) {
    found.measurements.push_back((a.centres[i] + b.centres[i]) / 2);
  }
  return found;
}

void Task::AppendSample(const Department& department, uint64_t stream, uint64_t index, Dataset* dataset) const {
  Random random(options_.seed, stream, index);
  const uint32_t finding = department.finding_draw[random.Below(static_cast<uint32_t>(department.finding_draw.size()))];
  const float* centre = department.centres.data() + finding * options_.inputs;
  for (size_t i = 0; i < options_.inputs; ++i) dataset->features.push_back(centre[i] + random.Normal());
  dataset->labels.push_back(department.classes[finding]);
}

}  // namespace modelvault::demo
