#include "tools/mvault/commands/board_update.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/board/board_bank.h"
#include "tools/mvault/board/patch_sender.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/board_trust.h"
#include "vault/format.h"

namespace modelvault {
namespace {

// What the board says in lines "KIND key=value …"; of a name all that follows it.
using Line = std::map<std::string, std::string>;

std::optional<Line> FindLine(const std::string& output, absl::string_view kind) {
  std::optional<Line> found;
  for (absl::string_view text : absl::StrSplit(output, '\n')) {
    if (!absl::ConsumePrefix(&text, absl::StrCat(kind, " "))) continue;
    found.emplace();
    while (!text.empty()) {
      const size_t equals = text.find('=');
      if (equals == absl::string_view::npos) break;
      const std::string key(text.substr(0, equals));
      const size_t end = key == "name" ? text.size() : std::min(text.find(' '), text.size());
      (*found)[key] = std::string(text.substr(equals + 1, end - equals - 1));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  return found;
}

std::string Word(const std::optional<Line>& line, const std::string& key) {
  if (!line.has_value()) return "";
  const auto found = line->find(key);
  return found == line->end() ? "" : found->second;
}

Json Number(const std::optional<Line>& line, const std::string& key) {
  uint64_t value = 0;
  return absl::SimpleAtoi(Word(line, key), &value) ? Json(value) : Json(nullptr);
}

Json Text(const std::optional<Line>& line, const std::string& key) {
  const std::string word = Word(line, key);
  return word.empty() ? Json(nullptr) : Json(word);
}

// A start of the board, and what it was for.
struct BoardStart {
  std::string patch;  // Empty: to boot.
  Json frames;        // How many were sent; null: it did not come over the line.
  EmulatorRun run;

  bool cut() const { return run.exit_code == kPowerCut; }
  bool ok() const { return run.exit_code == 0; }
};

// The version of the vault that a start began with; a board that trusts nobody does not ask for it.
Json VersionOf(const std::string& output) {
  constexpr char kSigned[] = "vault: signed, version ";
  const size_t at = output.find(kSigned);
  if (at == std::string::npos) return nullptr;
  const size_t begin = at + sizeof(kSigned) - 1;
  uint64_t version = 0;
  return absl::SimpleAtoi(output.substr(begin, output.find('\n', begin) - begin), &version) ? Json(version)
                                                                                            : Json(nullptr);
}

Json ToJson(const BoardStart& start) {
  const std::optional<Line> update = FindLine(start.run.output, "update");
  const std::optional<Line> slot = FindLine(start.run.output, "slot");
  const std::optional<Line> boot = FindLine(start.run.output, "boot");
  return {{"patch", start.patch.empty() ? Json(nullptr) : Json(start.patch)},
          {"frames", start.frames},
          {"ok", start.ok()},
          {"cut", start.cut()},
          {"slot", slot.has_value() ? Number(slot, "slot") : Json(0)},
          {"slot_source", Text(slot, "source")},
          {"version", VersionOf(start.run.output)},
          {"update", update.has_value() ? Json{{"status", Text(update, "status")},
                                               {"sectors", Number(update, "sectors")},
                                               {"done_before", Number(update, "before")},
                                               {"kept", Number(update, "kept")},
                                               {"written", Number(update, "written")},
                                               {"programs", Number(update, "units")}}
                                        : Json(nullptr)},
          {"boot", boot.has_value() ? Json{{"status", Text(boot, "status")},
                                           {"source", Text(boot, "source")},
                                           {"xxh64", Text(boot, "xxh64")},
                                           {"name", Text(boot, "name")}}
                                    : Json(nullptr)}};
}

std::string ToText(const BoardStart& start) {
  const Json json = ToJson(start);
  std::string text = start.patch.empty() ? "start" : absl::StrCat("update ", Printable(start.patch));
  if (!start.frames.is_null()) absl::StrAppend(&text, ", ", start.frames.dump(), " frames sent");
  if (start.cut()) return absl::StrCat(text, ": the power was cut\n");
  if (json["update"].is_object()) {
    const Json& update = json["update"];
    absl::StrAppend(&text, ": ", Word(FindLine(start.run.output, "update"), "status"), ", ", update["written"].dump(),
                    " of ", update["sectors"].dump(), " sectors written, ", update["kept"].dump(), " kept, ",
                    update["done_before"].dump(), " done before");
  }
  if (start.patch.empty()) {
    const std::optional<Line> boot = FindLine(start.run.output, "boot");
    absl::StrAppend(&text, ": slot ", json["slot"].is_null() ? "-" : json["slot"].dump());
    if (!json["slot_source"].is_null()) {
      absl::StrAppend(&text, " (", json["slot_source"].get<std::string>(), ")");
    }
    if (!json["version"].is_null()) absl::StrAppend(&text, ", version ", json["version"].dump());
    absl::StrAppend(&text, ": ", Word(boot, "status"), ", ", Printable(Word(boot, "name")), " from ",
                    Word(boot, "source"));
  }
  return absl::StrCat(text, "\n");
}

// Puts the patches in, one after the other.
class Updating {
 public:
  Updating(const BoardEmulator& board, const BoardArguments& arguments) : board_(board), arguments_(arguments) {}

  absl::Status Boot() { return Add({"", nullptr, {}}, board_.Start(MakeStraps(StrapCommand::kBootAndExit)), "boot"); }

  absl::Status Apply(FileSystem& file_system, const std::string& path, bool over_line) {
    absl::StatusOr<std::string> patch = ReadTextFile(file_system, path);
    if (!patch.ok()) return patch.status();
    if (patch->size() > kBoardPatchRoom) {
      return absl::ResourceExhaustedError(absl::StrCat(
          path, ": ", Grouped(patch->size()), " bytes: the board has room for patches of ", Grouped(kBoardPatchRoom)));
    }
    if (!over_line) {
      std::string room = *patch;
      room.resize(kBoardPatchRoom, '\xFF');
      if (absl::Status status = board_.WriteFlash(kBoardPatchOffset, room); !status.ok()) return status;
    }
    if (arguments_.cut_after > 0) {
      const absl::Status status = Update(path, *patch, over_line, arguments_.cut_after);
      if (!status.ok() || !starts_.back().cut()) return status;
    }
    return Update(path, *patch, over_line, 0);
  }

  const std::vector<BoardStart>& starts() const { return starts_; }

 private:
  absl::Status Update(const std::string& path, const std::string& patch, bool over_line, uint64_t cut) {
    const std::string straps = MakeUpdateStraps(arguments_.slots == 1, over_line);
    if (!over_line) return Add({path, nullptr, {}}, board_.Start(straps, cut), "update");
    PatchSender sender(patch);
    absl::StatusOr<EmulatorRun> run =
        board_.StartWith(straps, cut, [&sender](absl::string_view line) { return sender.Answer(line); });
    return Add({path, sender.frames_sent(), {}}, std::move(run), "update");
  }

  absl::Status Add(BoardStart start, absl::StatusOr<EmulatorRun> run, absl::string_view line) {
    if (!run.ok()) return run.status();
    start.run = *std::move(run);
    starts_.push_back(std::move(start));
    const BoardStart& added = starts_.back();
    if (added.cut() || FindLine(added.run.output, line).has_value()) return absl::OkStatus();
    return NoLineError(added.patch.empty() ? "boot" : added.patch, absl::InternalError("the board said nothing of it"),
                       added.run);
  }

  const BoardEmulator& board_;
  const BoardArguments& arguments_;
  std::vector<BoardStart> starts_;
};

}  // namespace

absl::StatusOr<ExitCode> UpdateBoard(Session& session, const VaultReader& vault, const BoardArguments& arguments,
                                     const std::string& name) {
  const std::string board_name = BoardNameOf(vault, name);
  const absl::StatusOr<std::unique_ptr<BoardEmulator>> board =
      MakeUpdatableBoard(session, vault, arguments, board_name);
  if (!board.ok()) return board.status();
  Updating updating(**board, arguments);
  if (absl::Status status = updating.Boot(); !status.ok()) return status;
  for (const bool over_line : {false, true}) {
    for (const std::string& patch : over_line ? arguments.line_updates : arguments.updates) {
      absl::Status status = updating.Apply(session.file_system, patch, over_line);
      if (status.ok()) status = updating.Boot();
      if (!status.ok()) return status;
    }
  }
  bool ok = true;
  std::string text;
  Json json = {{"vault", arguments.vault}, {"starts", Json::array()}};
  for (const BoardStart& start : updating.starts()) {
    ok = ok && (start.ok() || start.cut());
    absl::StrAppend(&text, ToText(start));
    json["starts"].push_back(ToJson(start));
  }
  json["ok"] = ok;
  if (arguments.json) {
    session.console.PrintJson(json);
  } else {
    session.console.Print(text);
  }
  return ok ? ExitCode::kOk : ExitCode::kDifferent;
}

}  // namespace modelvault
