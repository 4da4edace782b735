#include "firmware_riscv/engine/modelvault_engine.h"
#include "firmware_riscv/loader/core_errors.h"
#include "firmware_riscv/loader/loader_parts.h"
#include "firmware_riscv/loader/loader_weights.h"
#include "firmware_riscv/loader/placement.h"
#include "restore/infer/engine.h"
#include "restore/infer/network_view.h"
#include "restore/infer/sampler.h"
#include "restore/infer/tokenizer.h"

using modelvault::At;
using modelvault::BaseWeights;
using modelvault::ByteSpan;
using modelvault::ByteView;
using modelvault::CoreStatus;
using modelvault::Engine;
using modelvault::EngineMemory;
using modelvault::LoaderParts;
using modelvault::LoaderWeights;
using modelvault::Network;
using modelvault::NetworkScores;
using modelvault::NetworkTask;
using modelvault::PartsOf;
using modelvault::ProvenPassMemory;
using modelvault::Sampler;
using modelvault::ToError;
using modelvault::Tokenizer;
using modelvault::VariantStream;
using modelvault::WeightSource;

static_assert(MV_TASK_TOKENS == static_cast<int>(NetworkTask::kTokens) &&
              MV_TASK_FEATURES == static_cast<int>(NetworkTask::kFeatures) && MV_NO_TOKEN == modelvault::kNoToken &&
              MV_ENGINE_MAX_TOP_K == modelvault::kMaxTopK);

namespace {

constexpr size_t AlignUp(size_t size) { return (size + (MV_MEMORY_ALIGNMENT - 1)) & ~size_t{MV_MEMORY_ALIGNMENT - 1}; }
constexpr size_t Larger(size_t a, size_t b) { return a > b ? a : b; }

// A network, and what it takes beside the engine's own memory.
struct Plan {
  Network network;
  Tokenizer tokenizer;
  size_t loader_size;  // What the loader keeps.
  size_t base_size;    // Of a chunk of the base; and what a prompt takes while it is encoded.
  size_t input_size;   // Tokens of a prompt, or features.
  size_t pass_size;    // While the model is loaded.
  bool has_base_layout;
  bool restores;       // Even with a list.
  bool pass_in_front;  // The model is loaded where the base's chunk lies later, not where the cache will.

  // Parses the vault's network; tokenizer, if there is one.
  CoreStatus Parse(const LoaderParts& parts, ByteView section, size_t* bad_offset);
  CoreStatus Measure(mv_loader* loader, const mv_variant& variant, size_t tile_size);
  size_t before_engine() const { return loader_size + base_size + input_size; }
};

}  // namespace

// The loader's memory: what it keeps, a chunk of the base, the input, this; activations and parameters; seals of the
// base's chunks, the list, and, at the end, the cache, where the model is restored before. Without a list the cache
// follows the seals, and the stream that restores it. A network without a cache or text has the chunk's place restore
// it.
struct mv_engine {
  mv_loader* loader;
  size_t all_memory;  // What the loader had before.
  mv_variant variant;
  size_t tile_size;
  mv_watchdog watchdog;  // The loader's.
  ByteSpan base_memory;
  ByteSpan input;
  mv_engine_memory memory;
  Network network;
  Tokenizer tokenizer;
  Engine engine;
  Sampler sampler;
  LoaderWeights weights;
  WeightSource source;  // Its.
  bool source_failed;   // What ended the last run.
  mv_fault fault;

  mv_engine(mv_loader* of, const mv_variant& its, size_t tile, const Plan& plan);
  mv_error Load(const Plan& plan, size_t more, mv_fault* its_fault);
  uint8_t* CacheAtEnd() const;
  mv_error LoadWeights(const Plan& plan, uint8_t* seals, size_t seals_size, mv_fault* its_fault);
  WeightSource Source();
  template <typename Run>
  mv_error RunWith(const Run& run);
};

static_assert(alignof(mv_engine) <= MV_MEMORY_ALIGNMENT);

namespace {

CoreStatus Plan::Parse(const LoaderParts& parts, ByteView section, size_t* bad_offset) {
  const CoreStatus status = ParseNetwork(section, ShapesOf(*parts.shared), &network, bad_offset);
  if (status == CoreStatus::kOk && network.tokenizer.size > 0) tokenizer.View(network.tokenizer);
  return status;
}

CoreStatus Plan::Measure(mv_loader* loader, const mv_variant& variant, size_t tile_size) {
  const LoaderParts parts = PartsOf(loader);
  ProvenPassMemory pass;
  size_t weights_size = 0;
  CoreStatus status = MeasureProvenPass(loader, variant, tile_size, &pass);
  if (status == CoreStatus::kOk && pass.has_base_layout) {
    status = BaseWeights::MemorySize(*parts.shared, parts.chunks, LoaderWeights::kPieceSize, &weights_size);
  }
  loader_size = pass.fixed;
  pass_size = pass.model;
  has_base_layout = pass.has_base_layout;
  restores = !has_base_layout || !parts.shared->all_raw();
  const size_t tokens = Tokenizer::MostTokens(MV_ENGINE_MAX_TEXT) * sizeof(uint16_t);
  const size_t text_size = network.tokenizer.size > 0 ? tokens : 0;
  const size_t features_size = network.task == NetworkTask::kFeatures ? network.inputs * sizeof(int32_t) : 0;
  base_size = AlignUp(Larger(weights_size, text_size));
  pass_in_front = network.cache_count == 0 && text_size == 0;
  if (pass_in_front) base_size = Larger(base_size, pass_size);
  input_size = AlignUp(Larger(text_size, features_size));
  return status;
}

// The seals of the base's chunks.
size_t SealsSize(mv_loader* loader) {
  return AlignUp(modelvault::PartsOf(loader).chunks.header->chunk_count() * sizeof(uint32_t));
}

mv_engine_memory MemoryOf(const Plan& plan, const EngineMemory& engine, mv_loader* loader, size_t more) {
  // In the cache, the model is restored in front of the `more` bytes.
  const size_t pass_size = plan.pass_in_front ? 0 : plan.pass_size;
  const size_t cache = Larger(AlignUp(engine.cache), pass_size);
  const size_t most = plan.restores ? 0 : cache - pass_size;
  return {plan.before_engine(),
          AlignUp(sizeof(mv_engine)) + SealsSize(loader),
          cache,
          AlignUp(engine.activations),
          AlignUp(engine.parameters),
          plan.has_base_layout ? modelvault::PartsOf(loader).shared->tensor_count() * sizeof(uint32_t) : 0,
          (more < most ? more : most) / MV_MEMORY_ALIGNMENT * MV_MEMORY_ALIGNMENT};
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
      base_memory{modelvault::MemoryOf(of).data + plan.loader_size, plan.base_size},
      input{base_memory.data + plan.base_size, plan.input_size},
      network(plan.network),
      tokenizer(plan.tokenizer),
      sampler(0, 0, 0) {}

mv_error mv_engine::Load(const Plan& plan, size_t more, mv_fault* its_fault) {
  *its_fault = {MV_PLACE_MEMORY, 0};
  const LoaderParts parts = PartsOf(loader);
  uint8_t* const begin = reinterpret_cast<uint8_t*>(this) + AlignUp(sizeof(mv_engine));
  uint8_t* const end = modelvault::MemoryOf(loader).data + all_memory;
  // The cache gets its place afterwards.
  const CoreStatus placed =
      engine.Init(network, ShapesOf(*parts.shared), begin, static_cast<size_t>(end - begin) + more);
  if (placed != CoreStatus::kOk) return ToError(placed);
  memory = MemoryOf(plan, engine.memory(), loader, more);
  uint8_t* const seals = begin + memory.activations + memory.parameters;
  const size_t seals_size = SealsSize(loader);
  if (CacheAtEnd() < seals + seals_size) return MV_WORKSPACE_TOO_SMALL;
  return LoadWeights(plan, seals, seals_size, its_fault);
}

// Where the cache is if there is a list, and the model is restored before that.
uint8_t* mv_engine::CacheAtEnd() const {
  const ByteSpan all = modelvault::MemoryOf(loader);
  const size_t from = memory.cache - memory.more;
  return from > all_memory ? all.data : all.data + (all_memory - from) / MV_MEMORY_ALIGNMENT * MV_MEMORY_ALIGNMENT;
}

mv_error mv_engine::LoadWeights(const Plan& plan, uint8_t* seals, size_t seals_size, mv_fault* its_fault) {
  uint8_t* const end = modelvault::MemoryOf(loader).data + all_memory;
  uint8_t* const pass = CacheAtEnd();
  uint8_t* const after_seals = seals + seals_size;
  const size_t unlisted = static_cast<size_t>(end - after_seals);  // For a cache and a stream.
  LoaderWeights::Request request;
  request.tile_size = tile_size;
  request.list_memory = {seals, static_cast<size_t>(pass - seals)};
  request.pass_memory = {pass, static_cast<size_t>(end - pass)};
  request.base_memory = base_memory;
  request.restored_memory = {after_seals, 0};
  if (unlisted > memory.cache) request.restored_memory = {after_seals + memory.cache, unlisted - memory.cache};
  if (plan.pass_in_front) request.pass_memory = request.restored_memory = base_memory;
  request.consumer = {[](void* self, size_t tensor, size_t offset, ByteView bytes) {
                        return static_cast<mv_engine*>(self)->engine.ConsumeRestored(tensor, offset, bytes);
                      },
                      this};
  request.with_digest = true;
  modelvault::LimitMemory(loader, memory.loader);
  const mv_error error = weights.Open(loader, variant, request);
  *its_fault = mv_where(loader);
  modelvault::EndModel(loader);
  source = weights.source();
  memory.list = weights.list_size();
  if (memory.list > 0) {
    engine.MoveCache(pass);
  } else {
    memory.more = 0;
    engine.MoveCache(after_seals);
  }
  // A variant may lack what the network needs.
  return error == MV_OK && !engine.ready() ? MV_BAD_NETWORK : error;
}

// The weights, with the watchdog fed, and remembering who failed.
WeightSource mv_engine::Source() {
  return {this,
          [](void* context, size_t tensor, size_t begin, size_t end) {
            mv_engine* const self = static_cast<mv_engine*>(context);
            const CoreStatus status = self->source.start(self->source.context, tensor, begin, end);
            self->source_failed = status != CoreStatus::kOk;
            return status;
          },
          [](void* context, ByteView* piece) {
            mv_engine* const self = static_cast<mv_engine*>(context);
            if (self->watchdog.feed != nullptr) self->watchdog.feed(self->watchdog.context);
            const CoreStatus status = self->source.next(self->source.context, piece);
            self->source_failed = status != CoreStatus::kOk;
            return status;
          },
          source.deltas};
}

template <typename Run>
mv_error mv_engine::RunWith(const Run& run) {
  fault = {MV_PLACE_UNKNOWN, 0};
  source_failed = false;
  if (!modelvault::HasEnded(loader)) return MV_BAD_ARGUMENT;
  // A stream compares a blob's bytes when it is made, and only chunks each time that they are read.
  uint32_t segment;
  if (memory.list == 0 && !modelvault::IsBlobIntact(loader, variant, &segment)) {
    fault = {MV_PLACE_DELTA, segment};
    return MV_CHECKSUM_MISMATCH;
  }
  const CoreStatus status = run(Source());
  if (status != CoreStatus::kOk && source_failed) fault = weights.where();
  return ToError(status);
}

mv_error mv_engine_memory_needed(mv_loader* loader, const mv_variant* variant, size_t tile_size, size_t more,
                                 mv_engine_memory* memory) {
  Plan plan = {};
  mv_fault unused;
  const mv_error error = MakePlan(loader, *variant, tile_size, &plan, &unused);
  *memory = mv_engine_memory{};
  if (error != MV_OK) return error;
  *memory = MemoryOf(plan, Engine::Measure(plan.network, ShapesOf(*PartsOf(loader).shared)), loader, more);
  return MV_OK;
}

mv_error mv_engine_open(mv_loader* loader, const mv_variant* variant, size_t tile_size, size_t more, mv_engine** engine,
                        mv_fault* fault) {
  mv_fault unused;
  if (fault == nullptr) fault = &unused;
  *engine = nullptr;
  Plan plan = {};
  mv_error error = MakePlan(loader, *variant, tile_size, &plan, fault);
  if (error != MV_OK) return error;
  const ByteSpan all = modelvault::MemoryOf(loader);
  if (plan.before_engine() + AlignUp(sizeof(mv_engine)) > all.size) {
    *fault = {MV_PLACE_MEMORY, 0};
    return MV_WORKSPACE_TOO_SMALL;
  }
  mv_engine* const opened = new (At{all.data + plan.before_engine()}) mv_engine(loader, *variant, tile_size, plan);
  error = opened->Load(plan, more, fault);
  if (error != MV_OK) {
    mv_engine_close(opened);
    return error;
  }
  *engine = opened;
  return MV_OK;
}

void mv_engine_close(mv_engine* engine) {
  modelvault::EndModel(engine->loader);
  modelvault::LimitMemory(engine->loader, engine->all_memory);
}

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
  uint16_t* const ids = reinterpret_cast<uint16_t*>(engine->input.data);
  uint16_t* const merges = reinterpret_cast<uint16_t*>(engine->base_memory.data);
  const CoreStatus status = engine->tokenizer.Encode({reinterpret_cast<const uint8_t*>(text), size}, ids, merges,
                                                     Tokenizer::MostTokens(MV_ENGINE_MAX_TEXT), count, bad_offset,
                                                     {engine->watchdog.feed, engine->watchdog.context});
  engine->weights.ForgetBase();
  if (status == CoreStatus::kOk) *tokens = ids;
  return ToError(status);
}

const char* mv_engine_text(const mv_engine* engine, uint16_t token, size_t* size) {
  const ByteView text = engine->network.tokenizer.size > 0 ? engine->tokenizer.Text(token) : ByteView();
  *size = text.size;
  return reinterpret_cast<const char*>(text.data);
}

int32_t* mv_engine_features(mv_engine* engine) {
  if (engine->network.task != NetworkTask::kFeatures) return nullptr;
  return reinterpret_cast<int32_t*>(engine->input.data);
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
