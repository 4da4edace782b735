#include "firmware_riscv/app/console.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/app/talk.h"
#include "firmware_riscv/app/words.h"

namespace modelvault {
namespace {

// The longest command has a text behind it.
constexpr size_t kLineSize = sizeof("classify") + 512;

constexpr char kHelpText[] =
    "list           the variants in the vault\n"
    "select NAME    put a variant, or \"base\", on test: the next boot tries it\n"
    "boot           boot what is selected\n"
    "verify         restore the base and every variant and prove them\n"
    "ask TEXT       have the running model go on with a text, token by token\n"
    "generate N     N more tokens of it\n"
    "classify X ... have the running model classify numbers\n"
    "set NAME X     tokens, seed, top-k or temperature of answers; \"set\" shows them\n"
    "reset          forget the text\n"
    "stats          memory, instructions, selection, the last error\n"
    "help           this\n"
    "exit           leave the firmware\n";

enum class Does : uint8_t {
  kList,
  kSelect,
  kBoot,
  kVerify,
  kAsk,
  kGenerate,
  kClassify,
  kSet,
  kReset,
  kStats,
  kHelp,
  kExit
};
// What a command needs: what stands behind its name, if anything must; nothing may where there is no `takes`.
struct Command {
  char name[9];
  Does does;
  bool needs_vault;
  bool optional;
  const char* takes;
};
constexpr Command kCommands[] = {{"list", Does::kList, true, false, nullptr},
                                 {"select", Does::kSelect, true, false, "a name; \"list\" shows them"},
                                 {"boot", Does::kBoot, true, false, nullptr},
                                 {"verify", Does::kVerify, true, false, nullptr},
                                 {"ask", Does::kAsk, true, false, "a text"},
                                 {"generate", Does::kGenerate, true, false, "a number of tokens"},
                                 {"classify", Does::kClassify, true, false, "numbers"},
                                 {"set", Does::kSet, false, true, "a name and a value"},
                                 {"reset", Does::kReset, false, false, nullptr},
                                 {"stats", Does::kStats, false, false, nullptr},
                                 {"help", Does::kHelp, false, false, nullptr},
                                 {"exit", Does::kExit, false, false, nullptr}};

void Field(const char* name, uint64_t value, const char* unit) {
  Print(name);
  PrintNumber(value);
  Print(unit);
}

ByteView NameOf(const mv_variant& variant) {
  return {reinterpret_cast<const uint8_t*>(variant.name), variant.name_size};
}

// Reads a line and echoes it, without its end. Backspace and Ctrl-U take back. False if it was longer than `line`.
bool ReadLine(ByteSpan line, ByteView* text) {
  size_t size = 0;
  bool fits = true;
  for (;;) {
    const char c = ReadCharacter();
    if (c == '\r' || c == '\n') break;
    if (c == '\b' || c == 0x7F) {
      if (size > 0) {
        --size;
        Print("\b \b");
      }
    } else if (c == 0x15) {
      for (; size > 0; --size) Print("\b \b");
      fits = true;
    } else if (size == line.size) {
      fits = false;
    } else {
      line.data[size++] = static_cast<uint8_t>(c);
      PrintCharacter(c);
    }
  }
  Print("\n");
  *text = {line.data, size};
  return fits;
}

void PrintEngine(const mv_engine_memory& memory) {
  Field("engine: state ", memory.engine, "");
  Field(", cache ", memory.cache, "");
  Field(", activations ", memory.activations, "");
  Field(", parameters ", memory.parameters, "");
  Field(", differences from the base ", memory.list, memory.list == 0 ? " (restored each time)\n" : "\n");
}

class Console {
 public:
  explicit Console(Firmware* firmware) : firmware_(firmware), talk_(firmware) {}

  // False after `exit`.
  bool Obey(ByteView line);

 private:
  bool HaveVault() const;
  void List() const;
  void Select(ByteView name);
  void Verify();
  void Stats();
  bool VerifyOne(const mv_variant& variant);

  Firmware* firmware_;
  Talk talk_;
};

bool Console::HaveVault() const {
  if (firmware_->loader() != nullptr) return true;
  Print("error: no vault: ");
  Print(mv_error_name(firmware_->last_error()));
  Print("\n");
  return false;
}

void Console::List() const {
  mv_cursor cursor = {};
  mv_variant variant;
  mv_error error;
  while ((error = mv_list(firmware_->loader(), &cursor, &variant)) == MV_OK) {
    PrintName(NameOf(variant));
    Field("  ", variant.blob_size, " bytes\n");
  }
  if (error != MV_NOT_FOUND) {
    Print("error: ");
    Print(mv_error_name(error));
    Print("\n");
  }
}

void Console::Select(ByteView name) {
  mv_variant variant;
  mv_error error = MV_OK;
  if (Is(name, "base")) {
    name.size = 0;
  } else {
    error = mv_find(firmware_->loader(), reinterpret_cast<const char*>(name.data), name.size, &variant);
  }
  if (error == MV_OK) error = firmware_->selection()->Select(name);
  if (error != MV_OK) {
    Print("error: ");
    PrintName(name);
    Print(": ");
    Print(mv_error_name(error));
    Print("\n");
    return;
  }
  Print("selected ");
  PrintName(name);
  Print(": the next boot tries it\n");
}

bool Console::VerifyOne(const mv_variant& variant) {
  const bool good = firmware_->Verify(variant).verdict == MV_VERIFIED;
  Print(good ? "good " : "BAD  ");
  PrintName(NameOf(variant));
  Print("\n");
  return good;
}

void Console::Verify() {
  mv_cursor cursor = {};
  mv_variant variant;
  mv_base(firmware_->loader(), &variant);
  uint32_t good = VerifyOne(variant) ? 1 : 0;
  while (mv_list(firmware_->loader(), &cursor, &variant) == MV_OK) good += VerifyOne(variant) ? 1 : 0;
  Field("verify: ", good, " of ");
  PrintNumber(mv_count(firmware_->loader()) + 1);
  Print(" good\n");
}

void Console::Stats() {
  static const char* const kStates[] = {"erased", "no record", "on test", "confirmed", "rejected"};
  const mv_loader* const loader = firmware_->loader();
  const mv_engine* const engine = firmware_->open_engine();
  mv_engine_memory memory = {};
  if (engine != nullptr) mv_engine_memory_used(engine, &memory);
  const size_t engine_bytes = memory.engine + memory.cache + memory.activations + memory.parameters + memory.list;
  const size_t loader_bytes = engine != nullptr ? memory.loader : loader != nullptr ? mv_memory_used(loader) : 0;
  Field("RAM: variables ", StaticBytes(), "");
  Field(", loader ", loader_bytes, "");
  Field(", code ", RamCodeBytes() - memory.more, "");
  Field(", stack at most ", StackBytesUsed(), " of ");
  Field("", StackBytes(), "");
  Field(", free for the application ", FreeRam().size + memory.more - loader_bytes - engine_bytes, "\n");
  if (engine != nullptr) PrintEngine(memory);
  Field("instructions since reset: ", InstructionsRetired(), "\n");
  for (unsigned sector = 0; sector < MV_SELECTION_SECTORS; ++sector) {
    const SelectionRecord& record = firmware_->selection()->record(sector);
    Field("selection sector ", sector, ": ");
    Print(kStates[static_cast<uint8_t>(record.state)]);
    if (record.valid()) {
      Field(", number ", record.sequence, ": ");
      PrintName(record.name);
    }
    Print("\n");
  }
  Print("last error: ");
  Print(mv_error_name(firmware_->last_error()));
  Print("\n");
}

bool Console::Obey(ByteView line) {
  while (line.size > 0 && line.data[line.size - 1] == ' ') --line.size;
  if (line.size == 0) return true;
  ByteView argument = line;
  const ByteView command = TakeWord(&argument);
  const Command* known = nullptr;
  for (const Command& each : kCommands) {
    if (Is(command, each.name)) known = &each;
  }
  if (known == nullptr) {
    Print("error: no command ");
    PrintName(command);
    Print("; \"help\" lists them\n");
    return true;
  }
  if (argument.size == 0 ? known->takes != nullptr && !known->optional : known->takes == nullptr) {
    Print("error: ");
    Print(known->name);
    Print(known->takes != nullptr ? " takes " : " takes nothing after it");
    if (known->takes != nullptr) Print(known->takes);
    Print("\n");
    return true;
  }
  if (known->needs_vault && !HaveVault()) return true;
  switch (known->does) {
    case Does::kList:
      List();
      break;
    case Does::kSelect:
      Select(argument);
      break;
    case Does::kBoot:
      static_cast<void>(firmware_->Boot());
      break;
    case Does::kVerify:
      Verify();
      break;
    case Does::kAsk:
      talk_.Ask(argument);
      break;
    case Does::kGenerate:
      talk_.Generate(argument);
      break;
    case Does::kClassify:
      talk_.Classify(argument);
      break;
    case Does::kSet:
      talk_.Set(argument);
      break;
    case Does::kReset:
      talk_.Reset();
      break;
    case Does::kStats:
      Stats();
      break;
    case Does::kHelp:
      Print(kHelpText);
      break;
    case Does::kExit:
      return false;
  }
  return true;
}

}  // namespace

void RunConsole(Firmware* firmware) {
  static uint8_t line[kLineSize];  // Too much for the stack.
  Console console(firmware);
  BeginPhase(Phase::kConsole);
  for (;;) {
    Print("> ");
    ByteView text;
    if (!ReadLine({line, sizeof(line)}, &text)) {
      Print("error: the line is too long\n");
    } else if (!console.Obey(text)) {
      return;
    }
  }
}

}  // namespace modelvault
