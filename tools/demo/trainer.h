#ifndef MODELVAULT_TOOLS_DEMO_TRAINER_H_
#define MODELVAULT_TOOLS_DEMO_TRAINER_H_

#include <stddef.h>
#include <stdint.h>

#include <functional>

#include "absl/types/span.h"
#include "tools/demo/network.h"
#include "tools/demo/task.h"

namespace modelvault::demo {

struct BaseTraining {
  size_t steps = 2000;
  size_t batch = 256;  // samples a step
  float rate = 2e-3f;  // of Adam; falls to 0 in a straight line
};

// Trains a network of these widths on all departments together. `threads` changes the time, not the result.
// `progress`, if any, is called with the steps done, from the calling thread.
Network TrainBase(const Task& task, absl::Span<const size_t> widths, const BaseTraining& training, size_t threads,
                  const std::function<void(size_t)>& progress);

struct FineTuning {
  size_t steps = 300;
  size_t batch = 32;   // samples a step, drawn with replacement
  float rate = 2e-3f;  // of Adam; falls to 0 in a straight line
  // After each step every weight comes nearer to where it started by so much times the rate: the proximal step of an L1
  // price on the difference (N. Parikh, S. Boyd, "Proximal Algorithms", 2014). What does not earn its bytes stays at
  // the base's, and the fit has little left to drop.
  float shrinkage = 0.05f;
};

// Trains all weights of `start` on `samples`, which must not be empty; the biases stay as they are.
Network FineTune(const Network& start, const Dataset& samples, const FineTuning& tuning, uint64_t seed);

// `count` samples drawn with replacement.
void DrawBatch(const Dataset& samples, size_t count, Random& random, Dataset* batch);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_TRAINER_H_
