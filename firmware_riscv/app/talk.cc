#include "firmware_riscv/app/talk.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/numbers.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/app/words.h"
#include "restore/infer/engine.h"

namespace modelvault {
namespace {

constexpr size_t kShownClasses = 3;

// What a model says is not to move the cursor.
void PrintText(const char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    const bool is_control = (static_cast<uint8_t>(text[i]) < ' ' && text[i] != '\n') || text[i] == 0x7F;
    PrintCharacter(is_control ? '?' : text[i]);
  }
}

// The best classes, best first.
void PrintClasses(const NetworkScores& scores) {
  uint32_t shown[kShownClasses];
  for (size_t place = 0; place < kShownClasses && place < scores.count; ++place) {
    size_t best = scores.count;
    for (size_t i = 0; i < scores.count; ++i) {
      bool is_shown = false;
      for (size_t j = 0; j < place; ++j) is_shown = is_shown || shown[j] == i;
      if (!is_shown && (best == scores.count || scores.values[i] > scores.values[best])) best = i;
    }
    shown[place] = static_cast<uint32_t>(best);
    Print("class ");
    PrintNumber(best);
    Print("  ");
    PrintDecimal(scores.values[best], scores.exponent);
    Print("\n");
  }
}

void PrintFailure(const mv_engine* engine, mv_error error) {
  size_t offset;
  const mv_fault fault = mv_engine_where(engine, &offset);
  Print("error: the answer ends here: ");
  Print(mv_error_name(error));
  if (fault.place != MV_PLACE_UNKNOWN) {
    Print(" in ");
    PrintFault(fault);
    Print(", at byte ");
    PrintNumber(offset);
    Print(" of the vault");
  }
  Print("\n");
}

void PrintBadText(mv_error error, size_t bad_offset) {
  if (error != MV_NOT_FOUND) {
    Print("error: ");
    Print(mv_error_name(error));
  } else if (bad_offset == SIZE_MAX) {
    Print("error: the vault has no tokenizer");
  } else {
    Print("error: there is no token for byte ");
    PrintNumber(bad_offset);
    Print(" of the text");
  }
  Print("\n");
}

void PrintIfCut(size_t count, const mv_engine_info& info) {
  if (count <= size_t{info.window} + info.sinks) return;
  Print("note: of the text's ");
  PrintNumber(count);
  Print(" tokens the first ");
  PrintNumber(info.sinks);
  Print(" and the last ");
  PrintNumber(info.window);
  Print(" count\n");
}

// What `count` tokens have taken.
void PrintCosts(uint32_t count, uint64_t instructions, uint64_t cycles) {
  if (cycles > 0) {
    Print(", ");
    PrintDecimal(static_cast<int32_t>(uint64_t{kClockHz} * count * 16 / cycles), -4);
    Print(" tok/s at ");
    PrintNumber(kClockHz / 1000000);
    Print(" MHz, ");
    PrintNumber(cycles / count);
    Print(" cycles a token");
  }
  Print(", ");
  PrintNumber(instructions / count);
  Print(" instructions a token");
}

}  // namespace

// Null, and says why, if there is none for the task.
mv_engine* Talk::Engine(mv_task task) {
  mv_error error;
  mv_engine* const engine = firmware_->Engine(&error);
  if (engine == nullptr) {
    if (error == MV_NOT_FINISHED) {
      Print("error: no model runs; \"boot\" starts one\n");
    } else if (error == MV_NOT_FOUND) {
      Print("error: the vault does not say what its models compute\n");
    } else {
      Print("error: the model does not compute: ");
      Print(mv_error_name(error));
      Print("\n");
    }
    return nullptr;
  }
  mv_engine_info info;
  mv_engine_describe(engine, &info);
  if (info.task == task) return engine;
  Print(info.task == MV_TASK_TOKENS ? "error: the model takes text: ask TEXT\n"
                                    : "error: the model takes numbers: classify NUMBER ...\n");
  return nullptr;
}

// Prints the token in hand and those that follow, `count` in all, and what each of those took.
void Talk::PrintTokens(mv_engine* engine, mv_error error, uint16_t token, uint32_t count) {
  uint32_t printed = 0;
  uint64_t instructions = 0, cycles = 0;
  while (error == MV_OK && !generator_.at_end()) {
    size_t size;
    const char* const text = mv_engine_text(engine, token, &size);
    PrintText(text, size);
    if (++printed == count) break;
    instructions -= InstructionsRetired();
    cycles -= CyclesElapsed();
    error = generator_.Next(&token);
    instructions += InstructionsRetired();
    cycles += CyclesElapsed();
  }
  Print("\n");
  if (error != MV_OK) {
    text_of_ = 0;
    PrintFailure(engine, error);
    return;
  }
  PrintNumber(printed);
  Print(printed == 1 ? " token" : " tokens");
  if (printed > 1) PrintCosts(printed - 1, instructions, cycles);
  Print("\n");
}

void Talk::Ask(ByteView text) {
  mv_engine* const engine = Engine(MV_TASK_TOKENS);
  if (engine == nullptr) return;
  mv_engine_sampling(engine, seed_, static_cast<uint32_t>(temperature_), top_k_);
  generator_ = Generator(engine);
  uint16_t token;
  const mv_error error = generator_.Begin(text, &token);
  text_of_ = generator_.prompt() != nullptr ? firmware_->loads() : 0;
  if (text_of_ == 0) {
    PrintBadText(error, generator_.bad_offset());
    return;
  }
  mv_engine_info info;
  mv_engine_describe(engine, &info);
  PrintIfCut(generator_.prompt_count(), info);
  PrintTokens(engine, error, token, tokens_);
}

void Talk::Generate(ByteView count) {
  uint64_t tokens;
  if (!ParseNumber(count, &tokens) || tokens == 0 || tokens > kMostTokens) {
    Print("error: generate takes a number of tokens, 1 to 10000\n");
    return;
  }
  mv_engine* const engine = Engine(MV_TASK_TOKENS);
  if (engine == nullptr) return;
  if (text_of_ != firmware_->loads()) {
    Print("error: there is no text to go on with; \"ask\" begins one\n");
    return;
  }
  uint16_t token;
  const mv_error error = generator_.Next(&token);
  PrintTokens(engine, error, token, static_cast<uint32_t>(tokens));
}

void Talk::Reset() {
  text_of_ = 0;
  Print("the text is forgotten\n");
}

// False if there is no such setting or it takes no such value.
bool Talk::SetValue(ByteView name, ByteView value) {
  uint64_t number = 0;
  int32_t decimal;
  if (Is(name, "temperature")) {
    if (!ParseDecimal(value, &decimal) || decimal < 0) return false;
    temperature_ = decimal;
    return true;
  }
  if (!ParseNumber(value, &number)) return false;
  if (Is(name, "seed")) {
    seed_ = number;
  } else if (Is(name, "tokens") && number >= 1 && number <= kMostTokens) {
    tokens_ = static_cast<uint32_t>(number);
  } else if (Is(name, "top-k") && number >= 1 && number <= MV_ENGINE_MAX_TOP_K) {
    top_k_ = static_cast<uint32_t>(number);
  } else {
    return false;
  }
  return true;
}

void Talk::Set(ByteView what) {
  if (what.size > 0) {
    const ByteView name = TakeWord(&what);
    if (!SetValue(name, what)) {
      Print("error: set takes tokens 1-10000, seed N, top-k 1-64 or temperature X, at least 0\n");
      return;
    }
  }
  Print("tokens ");
  PrintNumber(tokens_);
  Print(", seed ");
  PrintNumber(seed_);
  Print(", top-k ");
  PrintNumber(top_k_);
  Print(", temperature ");
  PrintDecimal(temperature_, -16);
  Print(temperature_ == 0 ? " (always the best token)\n" : "\n");
}

void Talk::Classify(ByteView numbers) {
  mv_engine* const engine = Engine(MV_TASK_FEATURES);
  if (engine == nullptr) return;
  mv_engine_info info;
  mv_engine_describe(engine, &info);
  int32_t* const features = mv_engine_features(engine);
  size_t count = 0;
  for (ByteView word = TakeWord(&numbers); word.size > 0; word = TakeWord(&numbers), ++count) {
    if (count < info.inputs && !ParseDecimal(word, &features[count])) {
      Print("error: not a number, or one of 32768 and more: ");
      Print(reinterpret_cast<const char*>(word.data), word.size);
      Print("\n");
      return;
    }
  }
  if (count != info.inputs) {
    Print("error: the model takes ");
    PrintNumber(info.inputs);
    Print(" numbers, not ");
    PrintNumber(count);
    Print("\n");
    return;
  }
  BeginPhase(Phase::kPrefill);
  mv_error error = mv_engine_run_features(engine, features, count);
  BeginPhase(Phase::kOther);
  NetworkScores scores;
  if (error == MV_OK) error = mv_engine_scores(engine, &scores.values, &scores.count, &scores.exponent);
  if (error == MV_OK) {
    PrintClasses(scores);
  } else {
    PrintFailure(engine, error);
  }
}

}  // namespace modelvault
