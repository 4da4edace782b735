#include "restore/infer/engine.h"

#include "firmware_riscv/engine/modelvault_engine.h"
#include "firmware_riscv/loader/core_errors.h"
#include "firmware_riscv/loader/loader_parts.h"
#include "firmware_riscv/loader/placement.h"
#include "restore/infer/delta_list_builder.h"
#include "restore/infer/network_view.h"
#include "restore/infer/sampler.h"
#include "restore/infer/tokenizer.h"
#include "restore/infer/vault_weights.h"

using modelvault::At;
using modelvault::BaseWeights;
using modelvault::ByteSpan;
using modelvault::ByteView;
using modelvault::CoreStatus;
using modelvault::DeltaList;
using modelvault::DeltaListBuilder;
using modelvault::Engine;
using modelvault::EngineMemory;
using modelvault::LoaderParts;
using modelvault::Network;
using modelvault::NetworkScores;
using modelvault::NetworkTask;
using modelvault::PartsOf;
using modelvault::ProvenPassMemory;
using modelvault::RestoredWeights;
using modelvault::Sampler;
using modelvault::TensorConsumer;
using modelvault::ToError;
using modelvault::Tokenizer;
using modelvault::VariantStream;
using modelvault::WeightSource;

static_assert(MV_TASK_TOKENS == static_cast<int>(NetworkTask::kTokens) &&
              MV_TASK_FEATURES == static_cast<int>(NetworkTask::kFeatures) && MV_NO_TOKEN == modelvault::kNoToken &&
              MV_ENGINE_MAX_TOP_K == modelvault::kMaxTopK);

namespace {

constexpr size_t kPieceSize = 1024;  // Where the base is coded.
// Of a stream, which nobody needs once the list is made.
constexpr size_t kSpareSize = sizeof(VariantStream);

constexpr size_t AlignUp(size_t size) { return (size + (MV_MEMORY_ALIGNMENT - 1)) & ~size_t{MV_MEMORY_ALIGNMENT - 1}; }
constexpr size_t Larger(size_t a, size_t b) { return a > b ? a : b; }

struct Plan;

}  // namespace

// At the loader's end; the engine's memory and the list follow.
struct mv_engine {
  mv_loader* loader;
  size_t all_memory;  // What the loader had before.
  mv_variant variant;
  size_t tile_size;
  mv_watchdog watchdog;  // The loader's.
  mv_engine_memory memory;
  size_t scratch_size;
  ByteSpan scratch;  // In the loader, in its memory, or where the list would be.
  Network network;
  Tokenizer tokenizer;
  Engine engine;
  Sampler sampler;

  // Where the weights come from: base_weights and the list, or restored_weights.
  bool listed;
  DeltaList list;
  uint32_t starts;  // LoaderParts::starts when it was made.
  WeightSource weights;
  bool weights_failed;  // What ended the last run.
  mv_fault fault;
  alignas(BaseWeights) uint8_t base_weights[sizeof(BaseWeights)];
  alignas(RestoredWeights) uint8_t restored_weights[sizeof(RestoredWeights)];

  mv_engine(mv_loader* of, const mv_variant& its, size_t tile, const Plan& plan);
  BaseWeights* Base() { return reinterpret_cast<BaseWeights*>(base_weights); }
  mv_error Load(mv_fault* its_fault);
  mv_error Restore(ByteSpan list_memory);
  mv_error ReadRestored();
  mv_error BindWeights();
  WeightSource Source();
  TensorConsumer Parameters();
  mv_error PlaceScratch(ByteSpan list_memory);
  template <typename Run>
  mv_error RunWith(const Run& run);
};

static_assert(alignof(mv_engine) <= MV_MEMORY_ALIGNMENT);

namespace {

// What a network takes.
struct Plan {
  Network network;
  Tokenizer tokenizer;
  mv_engine_memory memory;
  size_t scratch_size;  // Tokens of a prompt, or features.
  bool has_base_layout;

  // Parses the vault's network; tokenizer, if there is one.
  CoreStatus Parse(const LoaderParts& parts, ByteView section, size_t* bad_offset);
  CoreStatus Measure(mv_loader* loader, const mv_variant& variant, size_t tile_size);
};

CoreStatus Plan::Parse(const LoaderParts& parts, ByteView section, size_t* bad_offset) {
  CoreStatus status = ParseNetwork(section, ShapesOf(*parts.shared), &network, bad_offset);
  if (status == CoreStatus::kOk && network.tokenizer.size > 0) {
    status = tokenizer.Parse(network.tokenizer, bad_offset);
    *bad_offset += static_cast<size_t>(network.tokenizer.data - section.data);
  }
  return status;
}

CoreStatus Plan::Measure(mv_loader* loader, const mv_variant& variant, size_t tile_size) {
  const LoaderParts parts = PartsOf(loader);
  const size_t tensors = parts.shared->tensor_count();
  const EngineMemory engine = Engine::Measure(network, ShapesOf(*parts.shared));
  ProvenPassMemory pass;
  size_t weights_size;
  CoreStatus status = MeasureProvenPass(loader, variant, tile_size, &pass);
  if (status == CoreStatus::kOk) {
    status = BaseWeights::MemorySize(*parts.shared, parts.chunks, kPieceSize, &weights_size);
  }
  if (status != CoreStatus::kOk) return status;
  scratch_size = 0;
  if (network.task == NetworkTask::kFeatures) scratch_size = AlignUp(network.inputs * sizeof(int32_t));
  if (network.tokenizer.size > 0) {
    scratch_size = Larger(scratch_size, AlignUp(Tokenizer::ScratchWords(MV_ENGINE_MAX_TEXT) * sizeof(uint16_t)));
  }
  has_base_layout = pass.has_base_layout;
  size_t kept = pass.bytes;
  if (has_base_layout) {
    kept = Larger(pass.with_base, AlignUp(pass.fixed + weights_size) + (scratch_size > kSpareSize ? scratch_size : 0));
  }
  memory = {AlignUp(kept),
            AlignUp(sizeof(mv_engine)),
            AlignUp(engine.cache),
            AlignUp(engine.activations),
            AlignUp(engine.parameters),
            has_base_layout ? tensors * sizeof(uint32_t) : 0};
  return CoreStatus::kOk;
}

mv_error MakePlan(mv_loader* loader, const mv_variant& variant, size_t tile_size, Plan* plan, mv_fault* fault) {
  *fault = {MV_PLACE_UNKNOWN, 0};
  if (tile_size < MV_MIN_TILE_SIZE) return MV_BAD_ARGUMENT;
  *fault = {MV_PLACE_NETWORK, 0};
  ByteView section;
  const mv_error found = mv_network(loader, &section.data, &section.size);
  if (found != MV_OK) return found;
  size_t bad_offset = 0;
  const CoreStatus parsed = plan->Parse(PartsOf(loader), section, &bad_offset);
  fault->number = static_cast<uint32_t>(bad_offset);
  if (parsed != CoreStatus::kOk) return ToError(parsed);
  *fault = {MV_PLACE_UNKNOWN, 0};
  return ToError(plan->Measure(loader, variant, tile_size));
}

}  // namespace

mv_engine::mv_engine(mv_loader* of, const mv_variant& its, size_t tile, const Plan& plan)
    : loader(of),
      all_memory(modelvault::MemoryOf(of).size),
      variant(its),
      tile_size(tile),
      watchdog(PartsOf(of).watchdog),
      memory(plan.memory),
      scratch_size(plan.scratch_size),
      network(plan.network),
      tokenizer(plan.tokenizer),
      sampler(0, 0, 0),
      listed(plan.has_base_layout) {}

TensorConsumer mv_engine::Parameters() {
  return {[](void* self, size_t tensor, size_t offset, ByteView bytes) {
            return static_cast<mv_engine*>(self)->engine.ConsumeRestored(tensor, offset, bytes);
          },
          this};
}

// The one pass over a variant with the base's layout: proves it all, makes the list, reads the parameters.
mv_error mv_engine::Restore(ByteSpan list_memory) {
  mv_error error = mv_start_proven(loader, &variant, tile_size, MV_WITH_DIGEST | MV_WITH_BASE);
  if (error != MV_OK) return error;
  struct Target {
    mv_loader* loader;
    DeltaListBuilder builder;
  } target = {loader, DeltaListBuilder(PartsOf(loader).shared, list_memory, Parameters())};
  error = mv_stream(
      loader,
      [](void* user, size_t offset, const uint8_t* bytes, size_t size) {
        Target* const to = static_cast<Target*>(user);
        return ToError(to->builder.Add(offset, {bytes, size}, mv_base_tile(to->loader)));
      },
      &target);
  if (error != MV_OK) return error;
  const CoreStatus finished = target.builder.Finish(&list, &memory.list);
  listed = finished == CoreStatus::kOk;
  if (!listed) memory.list = 0;
  return finished == CoreStatus::kWorkspaceTooSmall ? MV_OK : ToError(finished);
}

// The same for a variant with a layout of its own, in two passes, as its tensors may stand in another order.
mv_error mv_engine::ReadRestored() {
  const mv_consumer nobody = [](void*, size_t, const uint8_t*, size_t) { return MV_OK; };
  mv_error error = mv_start_proven(loader, &variant, tile_size, MV_WITH_DIGEST);
  if (error == MV_OK) error = mv_stream(loader, nobody, nullptr);
  if (error == MV_OK) error = BindWeights();
  if (error != MV_OK) return error;
  return ToError(ConsumeTensors(weights, *PartsOf(loader).shared, Parameters()));
}

// Makes `weights`, in the loader's memory.
mv_error mv_engine::BindWeights() {
  if (listed) {
    modelvault::EndModel(loader);
    const LoaderParts parts = PartsOf(loader);
    weights = (new (At{base_weights}) BaseWeights(parts.shared, parts.chunks, parts.tables, parts.idle, kPieceSize))
                  ->source(&list);
    starts = parts.starts;
    return MV_OK;
  }
  const mv_error error = mv_start_proven(loader, &variant, tile_size, 0);
  if (error != MV_OK) return error;
  const LoaderParts parts = PartsOf(loader);
  weights = (new (At{restored_weights}) RestoredWeights(parts.stream, parts.layout, tile_size))->source();
  starts = parts.starts;
  return MV_OK;
}

mv_error mv_engine::PlaceScratch(ByteSpan list_memory) {
  if (!listed) {
    scratch = {list_memory.data, scratch_size};
    return scratch_size <= list_memory.size ? MV_OK : MV_WORKSPACE_TOO_SMALL;
  }
  const LoaderParts parts = PartsOf(loader);
  scratch = {reinterpret_cast<uint8_t*>(parts.stream), scratch_size};
  if (scratch_size > kSpareSize) scratch.data = parts.idle.data + parts.idle.size - scratch_size;
  return MV_OK;
}

mv_error mv_engine::Load(mv_fault* its_fault) {
  const LoaderParts parts = PartsOf(loader);
  uint8_t* const begin = reinterpret_cast<uint8_t*>(this) + memory.engine;
  const size_t engine_size = memory.cache + memory.activations + memory.parameters;
  const CoreStatus placed = engine.Init(network, ShapesOf(*parts.shared), begin, engine_size);
  if (placed != CoreStatus::kOk) return ToError(placed);
  const ByteSpan rest = {begin + engine_size, all_memory - (memory.loader + memory.engine + engine_size)};
  mv_error error = MV_OK;
  if (listed) {
    error = Restore(rest);
    if (error == MV_OK) error = BindWeights();
  } else {
    error = ReadRestored();
  }
  *its_fault = mv_where(loader);
  if (error == MV_OK) error = PlaceScratch(rest);
  // A variant may lack what the network needs.
  if (error == MV_OK && !engine.ready()) error = MV_BAD_NETWORK;
  return error;
}

// The weights, with the watchdog fed, and remembering who failed.
WeightSource mv_engine::Source() {
  return {this,
          [](void* context, size_t tensor, size_t begin, size_t end) {
            mv_engine* const self = static_cast<mv_engine*>(context);
            const CoreStatus status = self->weights.start(self->weights.context, tensor, begin, end);
            self->weights_failed = status != CoreStatus::kOk;
            return status;
          },
          [](void* context, ByteView* piece) {
            mv_engine* const self = static_cast<mv_engine*>(context);
            if (self->watchdog.feed != nullptr) self->watchdog.feed(self->watchdog.context);
            const CoreStatus status = self->weights.next(self->weights.context, piece);
            self->weights_failed = status != CoreStatus::kOk;
            return status;
          },
          weights.deltas};
}

template <typename Run>
mv_error mv_engine::RunWith(const Run& run) {
  fault = {MV_PLACE_UNKNOWN, 0};
  weights_failed = false;
  if (PartsOf(loader).starts != starts) {
    const mv_error bound = BindWeights();
    if (bound != MV_OK) {
      fault = mv_where(loader);
      return bound;
    }
  }
  const CoreStatus status = run(Source());
  if (status != CoreStatus::kOk && weights_failed) {
    fault = listed ? mv_fault{MV_PLACE_BASE, static_cast<uint32_t>(Base()->last_chunk())} : mv_where(loader);
  }
  return ToError(status);
}

mv_error mv_engine_memory_needed(mv_loader* loader, const mv_variant* variant, size_t tile_size,
                                 mv_engine_memory* memory) {
  Plan plan = {};
  mv_fault unused;
  const mv_error error = MakePlan(loader, *variant, tile_size, &plan, &unused);
  *memory = plan.memory;
  return error;
}

// Places the engine, where there is room for it and what it needs.
static mv_error Place(mv_loader* loader, const mv_variant& variant, size_t tile_size, mv_engine** engine,
                      mv_fault* fault) {
  Plan plan = {};
  const mv_error planned = MakePlan(loader, variant, tile_size, &plan, fault);
  if (planned != MV_OK) return planned;
  const ByteSpan all = modelvault::MemoryOf(loader);
  const mv_engine_memory& needed = plan.memory;
  if (needed.loader + needed.engine + needed.cache + needed.activations + needed.parameters > all.size) {
    *fault = {MV_PLACE_MEMORY, 0};
    return MV_WORKSPACE_TOO_SMALL;
  }
  *engine = new (At{all.data + needed.loader}) mv_engine(loader, variant, tile_size, plan);
  return MV_OK;
}

mv_error mv_engine_open(mv_loader* loader, const mv_variant* variant, size_t tile_size, mv_engine** engine,
                        mv_fault* fault) {
  mv_fault unused;
  if (fault == nullptr) fault = &unused;
  *engine = nullptr;
  mv_engine* opened;
  mv_error error = Place(loader, *variant, tile_size, &opened, fault);
  if (error != MV_OK) return error;
  modelvault::LimitMemory(loader, opened->memory.loader);
  error = opened->Load(fault);
  if (error != MV_OK) {
    mv_engine_close(opened);
    return error;
  }
  *engine = opened;
  return MV_OK;
}

void mv_engine_close(mv_engine* engine) { modelvault::LimitMemory(engine->loader, engine->all_memory); }

void mv_engine_memory_used(const mv_engine* engine, mv_engine_memory* memory) { *memory = engine->memory; }

void mv_engine_describe(const mv_engine* engine, mv_engine_info* info) {
  const Network& network = engine->network;
  const bool has_tokenizer = network.tokenizer.size > 0;
  *info = {static_cast<mv_task>(network.task),
           network.inputs,
           network.outputs,
           network.window,
           network.sinks,
           has_tokenizer ? engine->tokenizer.begin_token() : modelvault::kNoToken,
           has_tokenizer ? engine->tokenizer.end_token() : modelvault::kNoToken,
           has_tokenizer,
           network.activation_bits};
}

mv_error mv_engine_encode(mv_engine* engine, const char* text, size_t size, const uint16_t** tokens, size_t* count,
                          size_t* bad_offset) {
  size_t unused;
  if (bad_offset == nullptr) bad_offset = &unused;
  *bad_offset = SIZE_MAX;
  *tokens = nullptr;
  *count = 0;
  if (engine->network.tokenizer.size == 0) return MV_NOT_FOUND;
  if (size > MV_ENGINE_MAX_TEXT) return MV_BAD_ARGUMENT;
  uint16_t* const words = reinterpret_cast<uint16_t*>(engine->scratch.data);
  const CoreStatus status = engine->tokenizer.Encode({reinterpret_cast<const uint8_t*>(text), size}, words,
                                                     engine->scratch.size / sizeof(uint16_t), count, bad_offset);
  if (status == CoreStatus::kOk) *tokens = words;
  return ToError(status);
}

const char* mv_engine_text(const mv_engine* engine, uint16_t token, size_t* size) {
  const ByteView text = engine->network.tokenizer.size > 0 ? engine->tokenizer.Text(token) : ByteView();
  *size = text.size;
  return reinterpret_cast<const char*>(text.data);
}

int32_t* mv_engine_features(mv_engine* engine) {
  if (engine->network.task != NetworkTask::kFeatures) return nullptr;
  return reinterpret_cast<int32_t*>(engine->scratch.data);
}

mv_error mv_engine_run(mv_engine* engine, const uint16_t* tokens, size_t count) {
  return engine->RunWith([&](const WeightSource& source) { return engine->engine.Run(tokens, count, source); });
}

mv_error mv_engine_run_features(mv_engine* engine, const int32_t* features, size_t count) {
  return engine->RunWith(
      [&](const WeightSource& source) { return engine->engine.RunFeatures(features, count, source); });
}

mv_error mv_engine_scores(const mv_engine* engine, const int32_t** values, size_t* count, int* exponent) {
  const NetworkScores scores = engine->engine.scores();
  *values = scores.values;
  *count = scores.count;
  *exponent = scores.exponent;
  return scores.values != nullptr ? MV_OK : MV_NOT_FINISHED;
}

void mv_engine_sampling(mv_engine* engine, uint64_t seed, uint32_t temperature, uint32_t top_k) {
  engine->sampler = Sampler(seed, temperature, top_k);
}

mv_error mv_engine_pick(mv_engine* engine, uint16_t* token) {
  const NetworkScores scores = engine->engine.scores();
  if (scores.values == nullptr) return MV_NOT_FINISHED;
  *token = engine->sampler.Pick(scores);
  return MV_OK;
}

void mv_engine_reset(mv_engine* engine) { engine->engine.Reset(); }

mv_fault mv_engine_where(const mv_engine* engine, size_t* offset) {
  *offset = mv_offset_of(engine->loader, &engine->variant, engine->fault);
  return engine->fault;
}
