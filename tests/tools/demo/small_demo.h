#ifndef MODELVAULT_TESTS_TOOLS_DEMO_SMALL_DEMO_H_
#define MODELVAULT_TESTS_TOOLS_DEMO_SMALL_DEMO_H_

#include "tools/demo/pipeline.h"

namespace modelvault::demo {

// A demo of some thousand weights that trains in a fraction of a second, yet well enough for its accuracies to mean
// something. Layer widths are no multiples of anything, so groups of 128 weights cross rows and end short.
inline DemoOptions SmallDemo() {
  DemoOptions options;
  options.task.seed = 7;
  options.task.departments = 4;
  options.task.inputs = 21;
  options.task.findings = 12;
  options.task.classes = 5;
  options.task.finding_spread = 1.2f;
  options.task.own_rules = 0.4f;
  options.hidden_widths = {37, 26};
  options.base.steps = 300;
  options.base.batch = 64;
  options.finetune_samples = 400;
  options.heldout_samples = 300;
  options.fine_tuning.steps = 150;
  options.curvature_samples = 300;
  return options;
}

}  // namespace modelvault::demo

#endif  // MODELVAULT_TESTS_TOOLS_DEMO_SMALL_DEMO_H_
