#include "firmware_riscv/app/console.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"

namespace modelvault {
namespace {

// The longest command is "select " and a name.
constexpr size_t kLineSize = 7 + MV_MAX_NAME_SIZE;

constexpr char kHelpText[] =
    "list           the variants in the vault\n"
    "select NAME    put a variant, or \"base\", on test: the next boot tries it\n"
    "boot           boot what is selected\n"
    "verify         restore the base and every variant and prove them\n"
    "stats          memory, instructions, selection, the last error\n"
    "help           this\n"
    "exit           leave the firmware\n";

enum class Does : uint8_t { kList, kSelect, kBoot, kVerify, kStats, kHelp, kExit };
struct Command {
  char name[7];
  Does does;
  bool needs_vault;
};
constexpr Command kCommands[] = {{"list", Does::kList, true},    {"select", Does::kSelect, true},
                                 {"boot", Does::kBoot, true},    {"verify", Does::kVerify, true},
                                 {"stats", Does::kStats, false}, {"help", Does::kHelp, false},
                                 {"exit", Does::kExit, false}};

bool Is(ByteView text, const char* word) {
  size_t i = 0;
  while (i < text.size && word[i] != '\0' && text.data[i] == static_cast<uint8_t>(word[i])) ++i;
  return i == text.size && word[i] == '\0';
}

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

class Console {
 public:
  explicit Console(Firmware* firmware) : firmware_(firmware) {}

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
  const size_t loader_bytes = loader != nullptr ? mv_memory_used(loader) : 0;
  Field("RAM: variables ", StaticBytes(), "");
  Field(", loader ", loader_bytes, "");
  Field(", code ", RamCodeBytes(), "");
  Field(", stack at most ", StackBytesUsed(), " of ");
  Field("", StackBytes(), "");
  Field(", free for the application ", FreeRam().size - loader_bytes, "\n");
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
  while (line.size > 0 && line.data[0] == ' ') line = line.Sub(1, line.size - 1);
  size_t word = 0;
  while (word < line.size && line.data[word] != ' ') ++word;
  const ByteView command = line.Sub(0, word);
  while (word < line.size && line.data[word] == ' ') ++word;
  const ByteView argument = line.Sub(word, line.size - word);

  if (line.size == 0) return true;
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
  if (known->does == Does::kSelect ? argument.size == 0 : argument.size > 0) {
    Print("error: ");
    Print(known->name);
    Print(argument.size == 0 ? " takes a name; \"list\" shows them\n" : " takes nothing after it\n");
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
  uint8_t line[kLineSize];
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
