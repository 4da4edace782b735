// The engine alone on the emulated board: runs what engine_image.h describes, with weights that are copied from flash
// piece by piece, and prints a line for the prompt and for each token: the token that follows, and the FNV-1a of the
// scores it was taken from. Then the bytes of memory. Exit codes: 0 done; 1 something failed; 2 a trap.
#include "firmware_riscv/engine_check/engine_image.h"
#include "firmware_riscv/virt_rv32/bare_board.h"
#include "restore/infer/engine.h"
#include "restore/infer/sampler.h"

namespace modelvault {
namespace {

constexpr size_t kPieceSize = 4096;

void PrintHex(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) *kUart = static_cast<uint8_t>("0123456789abcdef"[value >> shift & 15]);
}

uint32_t Word(EngineImageWord word) { return LoadLe32(_vault_start + 4 * static_cast<uint32_t>(word)); }
const uint8_t* At(EngineImageWord word) { return _vault_start + Word(word); }

// Memory from the arena's front.
uint8_t* next_free;
void* Take(size_t size) {
  uint8_t* const taken = next_free;
  next_free += (size + 7) / 8 * 8;
  if (next_free > _arena_end) Exit(1);
  return taken;
}

// Copies from flash, both at multiples of 4.
void CopyFromFlash(void* to, const uint8_t* from, size_t size) {
  uint32_t* out = static_cast<uint32_t*>(to);
  for (const uint8_t* const end = from + size; from < end; from += 4) *out++ = LoadAligned32(from);
}

Network ReadNetwork() {
  const uint8_t* const p = At(EngineImageWord::kNetworkAt);
  const auto word = [p](size_t i) { return LoadLe32(p + 4 * i); };
  Network n;
  n.task = static_cast<NetworkTask>(word(0));
  n.activation_bits = static_cast<uint8_t>(word(1));
  n.buffer_count = static_cast<uint8_t>(word(2));
  n.rope_pair_count = static_cast<uint8_t>(word(3));
  n.operator_count = static_cast<uint16_t>(word(4));
  n.cache_count = static_cast<uint16_t>(word(5));
  n.window = static_cast<uint16_t>(word(6));
  n.sinks = static_cast<uint16_t>(word(7));
  n.inputs = word(8);
  n.outputs = word(9);
  n.widths = {p + 40, 2u * n.buffer_count};
  n.rope_steps = {n.widths.data + (n.widths.size + 3) / 4 * 4, 4u * n.rope_pair_count};
  n.operators = {n.rope_steps.data + n.rope_steps.size, 16u * n.operator_count};
  return n;
}

struct FlashSource {
  const TensorRecord* records;
  uint8_t* piece;
  size_t at;
  size_t end;

  static CoreStatus Start(void* context, size_t tensor, size_t begin, size_t end) {
    FlashSource* const self = static_cast<FlashSource*>(context);
    self->at = self->records[tensor].offset + begin;
    self->end = self->records[tensor].offset + end;
    return CoreStatus::kOk;
  }
  // As a loader hands out chunks of the model's data: whole ones are read, what is asked for is handed out.
  static CoreStatus Next(void* context, ByteView* piece) {
    FlashSource* const self = static_cast<FlashSource*>(context);
    const size_t chunk = self->at / kPieceSize * kPieceSize;
    const size_t whole = Word(EngineImageWord::kDataSize) - chunk;
    const size_t size = whole < kPieceSize ? whole : kPieceSize;
    CopyFromFlash(self->piece, At(EngineImageWord::kDataAt) + chunk, size);
    const size_t end = self->end < chunk + size ? self->end : chunk + size;
    *piece = {self->piece + (self->at - chunk), end - self->at};
    self->at = end;
    return CoreStatus::kOk;
  }
};

TensorRecord* ReadRecords(size_t count) {
  TensorRecord* const records = static_cast<TensorRecord*>(Take(count * sizeof(TensorRecord)));
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* const p = At(EngineImageWord::kRecordsAt) + 20 * i;
    records[i] = {};
    records[i].offset = LoadLe32(p);
    records[i].size = LoadLe32(p + 4);
    records[i].rows = LoadLe32(p + 8);
    records[i].cols = LoadLe32(p + 12);
    records[i].dtype = static_cast<DType>(LoadLe32(p + 16));
  }
  return records;
}

uint16_t PrintScores(const NetworkScores& scores) {
  uint32_t hash = 2166136261u ^ static_cast<uint32_t>(scores.exponent);
  for (size_t i = 0; i < scores.count; ++i) hash = (hash ^ static_cast<uint32_t>(scores.values[i])) * 16777619u;
  const uint16_t token = BestToken(scores);
  PrintHex(token);
  *kUart = ' ';
  PrintHex(hash);
  *kUart = '\n';
  return token;
}

bool LoadParameters(size_t count, FlashSource* source, Engine* engine) {
  for (size_t i = 0; i < count; ++i) {
    if (source->records[i].dtype == DType::kI8) continue;
    ByteView piece;
    FlashSource::Start(source, i, 0, source->records[i].size);
    for (size_t offset = 0; offset < source->records[i].size; offset += piece.size) {
      FlashSource::Next(source, &piece);
      if (engine->ConsumeRestored(i, offset, piece) != CoreStatus::kOk) return false;
    }
  }
  return engine->ready();
}

int Check() {
  next_free = _arena_start;
  const size_t count = Word(EngineImageWord::kTensorCount);
  const TensorRecord* const records = ReadRecords(count);
  const TensorShapes shapes = {records, count, [](const void* context, size_t tensor) {
                                 const TensorRecord& record = static_cast<const TensorRecord*>(context)[tensor];
                                 return TensorShape{record.dtype, record.rows, record.cols};
                               }};
  FlashSource flash = {records, static_cast<uint8_t*>(Take(kPieceSize)), 0, 0};
  DeltaList deltas;
  WeightSource source = {&flash, &FlashSource::Start, &FlashSource::Next, nullptr};
  if (Word(EngineImageWord::kDeltasAt) != 0) {
    const size_t size = (Word(EngineImageWord::kDeltasSize) + 3) / 4 * 4;
    uint8_t* const bytes = static_cast<uint8_t*>(Take(size));
    uint32_t* const starts = static_cast<uint32_t*>(Take(4 * count));
    CopyFromFlash(bytes, At(EngineImageWord::kDeltasAt), size);
    CopyFromFlash(starts, At(EngineImageWord::kStartsAt), 4 * count);
    deltas = DeltaList(bytes, starts, count);
    source.deltas = &deltas;
  }
  const Network network = ReadNetwork();
  const EngineMemory memory = Engine::Measure(network, shapes);
  Engine* const engine = static_cast<Engine*>(Take(sizeof(Engine)));
  *engine = Engine();
  if (engine->Init(network, shapes, Take(memory.total()), memory.total()) != CoreStatus::kOk) return 1;
  BeginPhase(kEngineLoadPhase);
  if (!LoadParameters(count, &flash, engine)) return 1;

  uint16_t prompt[256];
  const size_t prompt_count = Word(EngineImageWord::kPromptCount), generate = Word(EngineImageWord::kGenerateCount);
  if (prompt_count > 256) return 1;
  for (size_t i = 0; i < prompt_count; ++i) prompt[i] = LoadLe16(At(EngineImageWord::kPromptAt) + 2 * i);
  BeginPhase(kEnginePromptPhase);
  CoreStatus status = engine->Run(prompt, prompt_count, source);
  for (size_t i = 0; status == CoreStatus::kOk; ++i) {
    BeginPhase(0);
    const uint16_t token = PrintScores(engine->scores());
    if (i == generate) break;
    BeginPhase(i + 1 < generate ? kEngineGeneratePhase : kEngineLastPhase);
    status = engine->Run(&token, 1, source);
  }
  const size_t sizes[] = {memory.cache, memory.activations, memory.parameters, sizeof(Engine)};
  for (const size_t bytes : sizes) {
    PrintHex(static_cast<uint32_t>(bytes));
    *kUart = '\n';
  }
  return status == CoreStatus::kOk ? 0 : 1;
}

}  // namespace
}  // namespace modelvault

void Exit(int code) { modelvault::EndEmulator(code); }

void ReportTrap(uint32_t, uint32_t, uint32_t) { Exit(2); }

int main() { return modelvault::Check(); }
