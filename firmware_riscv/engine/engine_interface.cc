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

// Of a stream, which nobody needs once the list is made.
constexpr size_t kSpareSize = sizeof(VariantStream);

constexpr size_t AlignUp(size_t size) { return (size + (MV_MEMORY_ALIGNMENT - 1)) & ~size_t{MV_MEMORY_ALIGNMENT - 1}; }
constexpr size_t Larger(size_t a, size_t b) { return a > b ? a : b; }

struct Plan;

}  // namespace

// Behind what the loader keeps of its memory. Activations and parameters follow; then seals of the base's chunks, the
// list, and, at the end, the cache. Without a list the cache follows the seals, and the scratch memory it.
struct mv_engine {
  mv_loader* loader;
  size_t all_memory;  // What the loader had before.
  mv_variant variant;
  size_t tile_size;
  mv_watchdog watchdog;  // The loader's.
  mv_engine_memory memory;
  size_t scratch_size;  // Tokens of a prompt, or features.
  uint8_t* scratch;
  Network network;
  Tokenizer tokenizer;
  Engine engine;
  Sampler sampler;
  LoaderWeights weights;
  WeightSource source;  // Its.
  bool source_failed;   // What ended the last run.
  mv_fault fault;

  mv_engine(mv_loader* of, const mv_variant& its, size_t tile, const Plan& plan);
  mv_error Load(mv_fault* its_fault);
  mv_error PlaceCache(uint8_t* seals, size_t seals_size, bool listed);
  WeightSource Source();
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
  size_t scratch_size;

  // Parses the vault's network; tokenizer, if there is one.
  CoreStatus Parse(const LoaderParts& parts, ByteView section, size_t* bad_offset);
  CoreStatus Measure(mv_loader* loader, const mv_variant& variant, size_t tile_size, size_t more);
};

CoreStatus Plan::Parse(const LoaderParts& parts, ByteView section, size_t* bad_offset) {
  const CoreStatus status = ParseNetwork(section, ShapesOf(*parts.shared), &network, bad_offset);
  if (status == CoreStatus::kOk && network.tokenizer.size > 0) tokenizer.View(network.tokenizer);
  return status;
}

CoreStatus Plan::Measure(mv_loader* loader, const mv_variant& variant, size_t tile_size, size_t more) {
  const LoaderParts parts = PartsOf(loader);
  ProvenPassMemory pass;
  size_t weights_size;
  CoreStatus status = MeasureProvenPass(loader, variant, tile_size, &pass);
  if (status == CoreStatus::kOk) {
    status = BaseWeights::MemorySize(*parts.shared, parts.chunks, LoaderWeights::kPieceSize, &weights_size);
  }
  if (status != CoreStatus::kOk) return status;
  scratch_size = 0;
  if (network.task == NetworkTask::kFeatures) scratch_size = AlignUp(network.inputs * sizeof(int32_t));
  if (network.tokenizer.size > 0) {
    scratch_size = Larger(scratch_size, AlignUp(Tokenizer::ScratchWords(MV_ENGINE_MAX_TEXT) * sizeof(uint16_t)));
  }
  size_t kept = pass.with_base;
  if (pass.has_base_layout) {
    kept = Larger(kept, AlignUp(pass.fixed + weights_size) + (scratch_size > kSpareSize ? scratch_size : 0));
  }
  const EngineMemory engine = Engine::Measure(network, ShapesOf(*parts.shared));
  const size_t cache = AlignUp(engine.cache);
  // Without a list, or with a base that is coded, restoring goes on.
  const bool restores = !pass.has_base_layout || !parts.shared->all_raw();
  memory = {AlignUp(kept),
            AlignUp(sizeof(mv_engine)) + AlignUp(parts.chunks.header->chunk_count() * sizeof(uint32_t)),
            cache,
            AlignUp(engine.activations),
            AlignUp(engine.parameters),
            pass.has_base_layout ? parts.shared->tensor_count() * sizeof(uint32_t) : 0,
            restores ? 0 : (more < cache ? more : cache) / MV_MEMORY_ALIGNMENT * MV_MEMORY_ALIGNMENT};
  return CoreStatus::kOk;
}

mv_error MakePlan(mv_loader* loader, const mv_variant& variant, size_t tile_size, size_t more, Plan* plan,
                  mv_fault* fault) {
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
  return ToError(plan->Measure(loader, variant, tile_size, more));
}

// Places the engine, where there is room for it and what it needs.
mv_error Place(mv_loader* loader, const mv_variant& variant, size_t tile_size, size_t more, mv_engine** engine,
               mv_fault* fault) {
  Plan plan = {};
  const mv_error planned = MakePlan(loader, variant, tile_size, more, &plan, fault);
  if (planned != MV_OK) return planned;
  const ByteSpan all = modelvault::MemoryOf(loader);
  const mv_engine_memory& needed = plan.memory;
  const size_t before = needed.loader + needed.engine + needed.activations + needed.parameters;
  if (before + needed.cache > all.size + needed.more) {
    *fault = {MV_PLACE_MEMORY, 0};
    return MV_WORKSPACE_TOO_SMALL;
  }
  *engine = new (At{all.data + needed.loader}) mv_engine(loader, variant, tile_size, plan);
  return MV_OK;
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
      sampler(0, 0, 0) {}

// Where the cache and the scratch memory are is known once there is a list, or none.
mv_error mv_engine::PlaceCache(uint8_t* seals, size_t seals_size, bool listed) {
  const LoaderParts parts = PartsOf(loader);
  uint8_t* const end = modelvault::MemoryOf(loader).data + all_memory;
  if (listed) {
    engine.MoveCache(end + memory.more - memory.cache);
    scratch = scratch_size > kSpareSize ? parts.idle.data + parts.idle.size - scratch_size
                                        : reinterpret_cast<uint8_t*>(parts.stream);
    memory.list = weights.list_size();
    return MV_OK;
  }
  engine.MoveCache(seals + seals_size);
  scratch = seals + seals_size + memory.cache;
  memory.list = memory.more = 0;
  return scratch <= end && scratch_size <= static_cast<size_t>(end - scratch) ? MV_OK : MV_WORKSPACE_TOO_SMALL;
}

mv_error mv_engine::Load(mv_fault* its_fault) {
  const LoaderParts parts = PartsOf(loader);
  const size_t seals_size = AlignUp(parts.chunks.header->chunk_count() * sizeof(uint32_t));
  uint8_t* const begin = reinterpret_cast<uint8_t*>(this) + (memory.engine - seals_size);
  uint8_t* const seals = begin + memory.activations + memory.parameters;
  const CoreStatus placed =
      engine.Init(network, ShapesOf(*parts.shared), begin, memory.activations + memory.parameters + memory.cache);
  if (placed != CoreStatus::kOk) return ToError(placed);
  uint8_t* const list_end = modelvault::MemoryOf(loader).data + all_memory + memory.more - memory.cache;
  LoaderWeights::Request request;
  request.tile_size = tile_size;
  request.list_memory = {seals, static_cast<size_t>(list_end - seals)};
  request.consumer = {[](void* self, size_t tensor, size_t offset, ByteView bytes) {
                        return static_cast<mv_engine*>(self)->engine.ConsumeRestored(tensor, offset, bytes);
                      },
                      this};
  request.with_digest = true;
  modelvault::LimitMemory(loader, memory.loader);
  mv_error error = weights.Open(loader, variant, request);
  *its_fault = mv_where(loader);
  modelvault::EndModel(loader);
  if (error == MV_OK) error = PlaceCache(seals, seals_size, weights.list_size() > 0);
  source = weights.source();
  // A variant may lack what the network needs.
  if (error == MV_OK && !engine.ready()) error = MV_BAD_NETWORK;
  return error;
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
  const mv_error error = MakePlan(loader, *variant, tile_size, more, &plan, &unused);
  *memory = plan.memory;
  return error;
}

mv_error mv_engine_open(mv_loader* loader, const mv_variant* variant, size_t tile_size, size_t more, mv_engine** engine,
                        mv_fault* fault) {
  mv_fault unused;
  if (fault == nullptr) fault = &unused;
  *engine = nullptr;
  mv_engine* opened;
  mv_error error = Place(loader, *variant, tile_size, more, &opened, fault);
  if (error != MV_OK) return error;
  error = opened->Load(fault);
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
  uint16_t* const words = reinterpret_cast<uint16_t*>(engine->scratch);
  const CoreStatus status = engine->tokenizer.Encode({reinterpret_cast<const uint8_t*>(text), size}, words,
                                                     engine->scratch_size / sizeof(uint16_t), count, bad_offset,
                                                     {engine->watchdog.feed, engine->watchdog.context});
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
  return reinterpret_cast<int32_t*>(engine->scratch);
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
