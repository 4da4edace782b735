#include "tools/demo/trainer.h"

#include <algorithm>
#include <vector>

#include "tools/demo/parallel.h"
#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

// A batch is cut into this many parts whatever the number of threads, so that sums do not depend on it.
constexpr size_t kBatchParts = 4;

constexpr uint64_t kInitialWeightsStream = 8;

float FallingRate(float rate, size_t step, size_t steps) {
  return rate * static_cast<float>(steps - step) / static_cast<float>(steps);
}

void AddTo(const std::vector<float>& addend, std::vector<float>* sum) {
  for (size_t i = 0; i < addend.size(); ++i) (*sum)[i] += addend[i];
}

// Moves each weight towards `origin` by `by`, not beyond it.
void Shrink(const std::vector<float>& origin, float by, std::vector<float>* weights) {
  for (size_t i = 0; i < origin.size(); ++i) {
    const float difference = (*weights)[i] - origin[i];
    (*weights)[i] = origin[i] + std::max(difference - by, 0.0f) + std::min(difference + by, 0.0f);
  }
}

}  // namespace

Network TrainBase(const Task& task, absl::Span<const size_t> widths, const BaseTraining& training, size_t threads,
                  const std::function<void(size_t)>& progress) {
  Network network = ZeroNetwork(widths);
  Random random(task.options().seed, kInitialWeightsStream);
  InitializeWeights(random, &network);
  Adam adam(network);
  std::vector<Network> gradients(kBatchParts, ZeroNetwork(widths));
  std::vector<Workspace> workspaces(kBatchParts);
  const size_t part_size = (training.batch + kBatchParts - 1) / kBatchParts;
  const float factor = 1.0f / static_cast<float>(part_size * kBatchParts);
  for (size_t step = 0; step < training.steps; ++step) {
    ParallelFor(kBatchParts, threads, [&](size_t part) {
      const Dataset batch = task.MixedSamples(step * kBatchParts + part, part_size);
      Gradient(network, batch.features, batch.labels, factor, &workspaces[part], &gradients[part]);
    });
    for (size_t part = 1; part < kBatchParts; ++part) {
      for (size_t l = 0; l < network.layers.size(); ++l) {
        AddTo(gradients[part].layers[l].weights, &gradients[0].layers[l].weights);
        AddTo(gradients[part].layers[l].biases, &gradients[0].layers[l].biases);
      }
    }
    adam.Step(gradients[0], FallingRate(training.rate, step, training.steps), /*with_biases=*/true, &network);
    if (progress) progress(step + 1);
  }
  return network;
}

Network FineTune(const Network& start, const Dataset& samples, const FineTuning& tuning, uint64_t seed) {
  Network network = start;
  Network gradient = start;
  Adam adam(network);
  Workspace workspace;
  Dataset batch;
  Random random(seed);
  for (size_t step = 0; step < tuning.steps; ++step) {
    DrawBatch(samples, tuning.batch, random, &batch);
    Gradient(network, batch.features, batch.labels, 1.0f / static_cast<float>(tuning.batch), &workspace, &gradient);
    const float rate = FallingRate(tuning.rate, step, tuning.steps);
    adam.Step(gradient, rate, /*with_biases=*/false, &network);
    for (size_t l = 0; l < network.layers.size(); ++l) {
      Shrink(start.layers[l].weights, rate * tuning.shrinkage, &network.layers[l].weights);
    }
  }
  return network;
}

void DrawBatch(const Dataset& samples, size_t count, Random& random, Dataset* batch) {
  batch->inputs = samples.inputs;
  batch->features.clear();
  batch->labels.clear();
  for (size_t i = 0; i < count; ++i) {
    const size_t s = random.Below(static_cast<uint32_t>(samples.size()));
    const float* row = samples.features.data() + s * samples.inputs;
    batch->features.insert(batch->features.end(), row, row + samples.inputs);
    batch->labels.push_back(samples.labels[s]);
  }
}

}  // namespace modelvault::demo
