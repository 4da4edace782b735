#ifndef MODELVAULT_TOOLS_DEMO_TASK_H_
#define MODELVAULT_TOOLS_DEMO_TASK_H_

// The generated task: a hospital's departments see patients with one of a few findings, as noisy measurements, and
// choose what to do next. Departments share the findings and most of the rules, but
//   - a finding looks a little different in each department's patients,
//   - each department treats a share of the findings in its own way: the same measurements, another class,
//   - each sees some findings more often than others.
// So no single model can serve all of them, and one department's model serves another badly.

#include <stddef.h>
#include <stdint.h>

#include <optional>
#include <vector>

namespace modelvault::demo {

struct TaskOptions {
  uint64_t seed = 1;
  size_t departments = 100;
  size_t inputs = 128;            // measurements a patient
  size_t findings = 96;           // clusters of patients
  size_t classes = 32;            // what to do next
  float finding_spread = 0.45f;   // how far apart findings lie, in standard deviations of the noise on one measurement
  float department_shift = 0.2f;  // how far a department moves a finding, same unit
  float own_rules = 0.15f;        // share of the findings a department treats in its own way, in expectation
};

// Samples side by side; features has inputs floats a sample.
struct Dataset {
  size_t inputs = 0;
  std::vector<float> features;
  std::vector<uint32_t> labels;

  size_t size() const { return labels.size(); }
};

// Disjoint sources of samples.
enum class Split : uint8_t { kBase = 0, kFineTune = 1, kHeldOut = 2 };

// A patient who is typical of a finding that two departments treat differently.
struct Disagreement {
  std::vector<float> measurements;  // without noise, between what the two departments see
  uint32_t first_class = 0;         // by each department's own rules
  uint32_t second_class = 0;
};

// Thread-safe: nothing changes after construction.
class Task {
 public:
  explicit Task(const TaskOptions& options);

  // The first `count` samples of a department's split.
  Dataset DepartmentSamples(size_t department, Split split, size_t count) const;

  // `count` samples of Split::kBase, each of a department drawn at random; `batch` numbers the draws.
  Dataset MixedSamples(uint64_t batch, size_t count) const;

  // Of the finding that both see often, as far as there is one; nothing where the departments treat all alike.
  std::optional<Disagreement> FindDisagreement(size_t first, size_t second) const;

  const TaskOptions& options() const { return options_; }

 private:
  struct Department {
    std::vector<float> centres;          // findings x inputs
    std::vector<uint32_t> classes;       // of each finding
    std::vector<uint32_t> finding_draw;  // uniform draws from it follow the department's frequencies
  };

  void AppendSample(const Department& department, uint64_t stream, uint64_t index, Dataset* dataset) const;

  TaskOptions options_;
  std::vector<Department> departments_;
};

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_TASK_H_
