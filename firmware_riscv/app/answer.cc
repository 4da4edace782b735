#include "firmware_riscv/app/answer.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/boot_proof.h"
#include "firmware_riscv/app/firmware.h"
#include "firmware_riscv/app/generator.h"
#include "firmware_riscv/app/numbers.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/app/score_hash.h"
#include "firmware_riscv/app/words.h"

namespace modelvault {
namespace {

void PrintField(const char* name, uint64_t value) {
  Print(name);
  PrintNumber(value);
}

// Ids with commas between them.
class IdPrinter {
 public:
  void Print(uint16_t id) {
    if (any_) modelvault::Print(",");
    any_ = true;
    PrintNumber(id);
  }

 private:
  bool any_ = false;
};

struct Answered {
  mv_error error = MV_OK;
  mv_fault fault = {MV_PLACE_UNKNOWN, 0};
  size_t offset = 0;
  uint64_t scores = kNoScoresHash;
};

void AddScores(const mv_engine* engine, Answered* answered) {
  NetworkScores scores;
  if (mv_engine_scores(engine, &scores.values, &scores.count, &scores.exponent) != MV_OK) return;
  answered->scores = HashScores(answered->scores, scores);
}

void AnswerText(mv_engine* engine, const AnswerStraps& asked, Answered* answered) {
  Generator generator(engine);
  uint16_t token;
  answered->error = generator.Begin(asked.prompt, &token);
  IdPrinter prompt_ids, ids;
  for (size_t i = 0; i < generator.prompt_count(); ++i) prompt_ids.Print(generator.prompt()[i]);
  Print(" tokens=");
  if (generator.prompt() == nullptr) {
    answered->offset = generator.bad_offset();
    return;
  }
  for (uint32_t i = 0; i < asked.tokens; ++i) {
    if (i > 0) answered->error = generator.Next(&token);
    if (answered->error != MV_OK) break;
    AddScores(engine, answered);
    ids.Print(token);
    if (generator.at_end() && !asked.pass_ends) break;
  }
  if (answered->error != MV_OK) answered->fault = mv_engine_where(engine, &answered->offset);
}

void AnswerFeatures(mv_engine* engine, const AnswerStraps& asked, Answered* answered) {
  Print(" tokens=");
  mv_engine_info info;
  mv_engine_describe(engine, &info);
  int32_t* const features = mv_engine_features(engine);
  ByteView text = asked.prompt;
  size_t count = 0;
  for (ByteView word = TakeWord(&text); word.size > 0; word = TakeWord(&text), ++count) {
    if (count == info.inputs || !ParseDecimal(word, &features[count])) answered->error = MV_BAD_ARGUMENT;
    if (answered->error != MV_OK) return;
  }
  BeginPhase(Phase::kPrefill);
  answered->error = mv_engine_run_features(engine, features, count);
  uint16_t best = 0;
  if (answered->error == MV_OK) answered->error = mv_engine_pick(engine, &best);
  BeginPhase(Phase::kConsole);
  if (answered->error != MV_OK) {
    answered->fault = mv_engine_where(engine, &answered->offset);
    return;
  }
  AddScores(engine, answered);
  PrintNumber(best);
}

// A name of one word.
void PrintPlace(mv_place place) {
  if (place == MV_PLACE_UNKNOWN) {
    Print("-");
    return;
  }
  for (const char* p = mv_place_name(place); *p != '\0'; ++p) PrintCharacter(*p == ' ' ? '_' : *p);
}

void PrintMemory(const mv_engine_memory& memory) {
  PrintField(" variables=", StaticBytes());
  PrintField(" loader=", memory.loader);
  PrintField(" engine=", memory.engine);
  PrintField(" cache=", memory.cache);
  PrintField(" activations=", memory.activations);
  PrintField(" parameters=", memory.parameters);
  PrintField(" list=", memory.list);
  PrintField(" ram_code=", RamCodeBytes() - memory.more);
  PrintField(" stack=", StackBytesUsed());
}

mv_error OpenEngine(const Straps& straps, mv_engine** engine, Answered* answered) {
  mv_loader* loader;
  mv_variant variant;
  mv_error error =
      BootProof(VaultBank(), FreeRam(), BoardTrust())
          .Open({reinterpret_cast<const uint8_t*>(straps.name), straps.name_size}, &loader, &variant, &answered->fault);
  if (error != MV_OK) return error;
  BeginPhase(Phase::kLoad);
  error = mv_engine_open(loader, &variant, straps.tile_size != 0 ? straps.tile_size : MV_ENGINE_TILE_SIZE,
                         ReclaimableRam(), engine, &answered->fault);
  answered->offset = mv_offset_of(loader, &variant, answered->fault);
  return error;
}

}  // namespace

int Answer(const Straps& straps) {
  Answered answered;
  mv_engine* engine = nullptr;
  mv_engine_memory memory = {};
  answered.error = OpenEngine(straps, &engine, &answered);
  BeginPhase(Phase::kConsole);
  Print("answer prompt=");
  if (answered.error == MV_OK) {
    mv_engine_info info;
    mv_engine_describe(engine, &info);
    mv_engine_sampling(engine, straps.answer.seed, straps.answer.temperature, straps.answer.top_k);
    if (info.task == MV_TASK_TOKENS) {
      AnswerText(engine, straps.answer, &answered);
    } else {
      AnswerFeatures(engine, straps.answer, &answered);
    }
    mv_engine_memory_used(engine, &memory);
  } else {
    Print(" tokens=");
  }
  Print(" scores=");
  PrintHex(answered.scores);
  Print(" status=");
  Print(mv_error_name(answered.error));
  Print(" place=");
  PrintPlace(answered.fault.place);
  PrintField(" number=", answered.fault.number);
  PrintField(" offset=", answered.offset);
  PrintMemory(memory);
  Print(" name=");
  PrintName({reinterpret_cast<const uint8_t*>(straps.name), straps.name_size});
  Print("\n");
  return answered.error == MV_OK ? 0 : 1;
}

}  // namespace modelvault
