#include "tools/packing/board_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "restore/infer/engine.h"
#include "restore/infer/network_view.h"
#include "restore/model_shapes.h"
#include "tools/packing/network_builder.h"

namespace modelvault {
namespace {

// Bytes of RAM that the emulated board's firmware takes while it answers (`mvault board --ask` prints them):
constexpr uint64_t kLoader = 5'232;        // of the loader, a chunk of a fast base included, but for the tensors' records;
constexpr uint64_t kRecord = 36;           // of one of these;
constexpr uint64_t kEngine = 1'648 + 528;  // of the engine beside what it counts itself, and of variables;
constexpr uint64_t kCode = 15'392;         // of code that runs from RAM then,
constexpr uint64_t kRestoreCode = 17'920;  // and of code that only restores, where the cache may lie afterwards;
constexpr uint64_t kPass = 8'296;          // of what restores, where the rest of the cache lies afterwards;
constexpr uint64_t kStack = 4'096;         // That virt_128k.ld sets aside.
// Of a parameter's tensor on the board; a host's pointers are longer.
constexpr uint64_t kParameterTensor = 8;

// Cycles, from the same pages: what the corpus' model takes, for each of
constexpr double kReadFast = 6.3, kReadSmall = 15.6;          // a weight that is read and proven for an engine;
constexpr double kRestoreFast = 23.3, kRestoreSmall = 30.9;   // a byte that is restored and looked at for the list;
constexpr double kProduct = 3.5, kProductOfBatch = 2.6;       // a weight and an activation, alone or of a batch;
constexpr double kDifference = 17, kDifferenceOfBatch = 7.8;  // a weight that a variant changes;
constexpr double kAttention = 11.5;                           // a position and an element of the queries;
constexpr double kElement = 72, kElementOfBatch = 58;         // an element that an operator writes;
constexpr double kStart = 932'000;                            // and from the reset to the first of these.
constexpr int kPrompt = 16;                                   // Tokens, one batch.

// What a token's operators have to do.
struct Work {
  double products = 0;
  double elements = 0;   // Written.
  double attention = 0;  // Elements of queries.
};

// Of operators [0, count).
Work WorkOf(const Network& network, size_t count) {
  Work work;
  for (size_t i = 0; i < count; ++i) {
    const NetworkOperator op = network.op(i);
    const double width = static_cast<double>(network.width(op.out));
    work.elements += width;
    if (op.code == OperatorCode::kMatmul) work.products += width * static_cast<double>(network.width(op.in));
    if (op.code == OperatorCode::kAttention) work.attention += width;
  }
  return work;
}

// Bytes of a list of `differences` among `weights`: one each, and one for each 125 weights that are passed over.
uint64_t ListSize(double weights, double differences, size_t tensors) {
  const double density = weights > 0 ? differences / weights : 0;
  const double far = std::pow(1 - density, 125);
  const double skips = density > 0 ? differences * far / (1 - far) : 0;
  // A tensor's step, its end, and where it begins.
  return static_cast<uint64_t>(std::llround(differences + skips)) + tensors * (2 + 4);
}

// Sets what the engine keeps.
void CountEngine(const Network& network, const TensorShapes& shapes, BoardPlan* plan) {
  const EngineMemory memory = Engine::Measure(network, shapes);
  const uint64_t pass_in_cache = network.cache_count > 0 ? kPass : 0;
  plan->cache = std::max<uint64_t>(memory.cache, pass_in_cache);
  plan->code = kCode + kRestoreCode - std::min(kRestoreCode, plan->cache - pass_in_cache);
  plan->activations = memory.activations;
  plan->parameters = memory.parameters - shapes.count * (sizeof(ParameterTensor) - kParameterTensor);
}

// The widest window with which `plan` fits; 0: none does, or the network has none.
uint16_t WindowThatFits(const Network& network, const TensorShapes& shapes, BoardPlan plan) {
  Network narrower = network;
  uint16_t fits = 0;
  for (unsigned low = network.sinks + 1u, high = network.window; low < high;) {
    narrower.window = static_cast<uint16_t>((low + high) / 2);
    CountEngine(narrower, shapes, &plan);
    if (plan.taken() <= plan.ram) {
      fits = narrower.window;
      low = fits + 1u;
    } else {
      high = narrower.window;
    }
  }
  return fits;
}

void EstimateCycles(const Network& network, double bytes, double differences, BoardPlan* plan) {
  const Work all = WorkOf(network, network.operator_count);
  const double positions = static_cast<double>(network.window) + network.sinks;
  const double token = kProduct * all.products + kDifference * differences + kAttention * positions * all.attention +
                       kElement * all.elements;
  plan->token_fast = token + kReadFast * all.products;
  plan->token_small = token + kReadSmall * all.products;
  // The scores are wanted after the last token only.
  const Work each = WorkOf(network, network.operator_count - 1u);
  const double prompt = kStart + kPrompt * (kProductOfBatch * each.products + kDifferenceOfBatch * differences +
                                            kAttention * kPrompt * each.attention + kElementOfBatch * each.elements);
  plan->prompt_fast = prompt + kRestoreFast * bytes + kReadFast * all.products;
  plan->prompt_small = prompt + kRestoreSmall * bytes + kReadSmall * all.products;
}

// What to change where `plan` does not fit: the window if that may suffice.
std::string AdviceFor(const BoardPlan& plan, const Network& network, const TensorShapes& shapes) {
  const std::string over = absl::StrFormat("%d bytes of RAM too many", plan.taken() - plan.ram);
  if (const uint16_t window = WindowThatFits(network, shapes, plan); window > 0) {
    return absl::StrFormat("%s: with config.window %d or less it fits", over, window);
  }
  if (plan.taken() - plan.list <= plan.ram) {
    return absl::StrFormat(
        "%s: without the list of %d bytes it fits, but then weights are restored for each token; a smaller budget, or "
        "more variants in it, make it shorter",
        over, plan.list);
  }
  return absl::StrFormat("%s, whatever the window: the model is too large", over);
}

}  // namespace

absl::StatusOr<BoardPlan> PlanBoard(absl::string_view network_section, absl::Span<const ModelTensor> tensors,
                                    double density, uint64_t ram) {
  const TensorShapes shapes = ShapesOf(tensors);
  Network network;
  BoardPlan plan;
  const CoreStatus status = ParseNetwork(
      {reinterpret_cast<const uint8_t*>(network_section.data()), network_section.size()}, shapes, &network);
  if (status != CoreStatus::kOk) {
    return absl::InvalidArgumentError(absl::StrCat("the network cannot be run: ", CoreStatusName(status)));
  }
  double weights = 0, bytes = 0;
  for (const ModelTensor& tensor : tensors) {
    if (tensor.dtype == DType::kI8) weights += static_cast<double>(tensor.size());
    bytes += static_cast<double>(tensor.size());
  }
  const double differences = weights * std::clamp(density, 0.0, 1.0);

  plan.ram = ram;
  CountEngine(network, shapes, &plan);
  plan.list = ListSize(weights, differences, tensors.size());
  plan.loader = kLoader + kRecord * tensors.size() + kEngine;
  // Without a cache, what restores has a place of its own.
  if (network.cache_count == 0) plan.loader += kPass;
  plan.stack = kStack;
  plan.fits = plan.taken() <= ram;
  if (!plan.fits) plan.advice = AdviceFor(plan, network, shapes);

  EstimateCycles(network, bytes, differences, &plan);
  return plan;
}

}  // namespace modelvault
