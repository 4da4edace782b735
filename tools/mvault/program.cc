#include "tools/mvault/program.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/cli/console.h"
#include "tools/mvault/cli/exit_code.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_argument.h"
#include "vault/format.h"

namespace modelvault {

ExitCode UsageError(Session& session, absl::string_view message) {
  session.console.PrintError(absl::InvalidArgumentError(message));
  return ExitCode::kUsage;
}

namespace {

// The files of a command whose folders could not be synced. They are no reason not to go on.
class UnsyncedFiles {
 public:
  explicit UnsyncedFiles(FileSystem& file_system) : file_system_(file_system) {
    file_system_.OnUnsynced([this](const absl::Status& why) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (count_++ == 0) first_ = std::string(why.message());
    });
  }
  ~UnsyncedFiles() { file_system_.OnUnsynced(nullptr); }
  UnsyncedFiles(const UnsyncedFiles&) = delete;
  UnsyncedFiles& operator=(const UnsyncedFiles&) = delete;

  // Warns of them, if there are any, and gives the code to end with instead of `code`.
  int Warn(Console* console, int code) const {
    if (count_ == 0) return code;
    console->PrintWarning(count_ == 1 ? first_ : absl::StrCat(first_, "; the same of ", count_ - 1, " more"));
    return code == 0 ? static_cast<int>(ExitCode::kNotSynced) : code;
  }

 private:
  FileSystem& file_system_;
  std::mutex mutex_;  // Guards what follows.
  std::string first_;
  size_t count_ = 0;
};

int Exit(Console* console, ExitCode code) {
  if (absl::Status status = console->Flush(); !status.ok()) {
    console->PrintError(status);
    if (code == ExitCode::kOk) code = ExitCodeFor(status);
  }
  return static_cast<int>(code);
}

int Run(int argc, const char* const* argv, Session* session) {
  CLI::App app(
      "mvault keeps one base model and many variants of it in one small file, and gives every one of them back "
      "bit for bit.",
      "mvault");
  app.set_version_flag("--version", absl::StrCat("mvault ", MODELVAULT_VERSION, " (vault format ", kVersionMajor, ".",
                                                 kVersionMinor, ")"));
  app.footer(absl::StrCat("'mvault help COMMAND' tells more about a command.\n\n", kExitCodesHelp));
  app.require_subcommand(1);
  Command program(&app);
  AddFitCommand(program, *session);
  AddPackCommand(program, *session);
  AddLsCommand(program, *session);
  AddInfoCommand(program, *session);
  AddVerifyCommand(program, *session);
  AddChecksumsCommand(program, *session);
  AddRestoreCommand(program, *session);
  AddAddCommand(program, *session);
  AddReplaceCommand(program, *session);
  AddRenameCommand(program, *session);
  AddRmCommand(program, *session);
  AddCompactCommand(program, *session);
  AddDiffCommand(program, *session);
  AddFlashDiffCommand(program, *session);
  AddClusterCommand(program, *session);
  AddPlanCommand(program, *session);
  AddEvalCommand(program, *session);
  AddRunCommand(program, *session);
  AddBoardCommand(program, *session);
  AddChatCommand(program, *session);
  AddKeygenCommand(program, *session);
  AddSignCommand(program, *session);
  AddRotateCommand(program, *session);
  AddRevokeCommand(program, *session);
  AddLogCommand(program, *session);
  AddTenantCommand(program, *session);
  AddHelpCommand(program, *session);
  // CLI11 would only say that a command is required.
  if (argc > 1 && argv[1][0] != '-' &&
      app.get_subcommands([&](const CLI::App* c) { return c->get_name() == argv[1]; }).empty()) {
    return Exit(&session->console,
                UsageError(*session, absl::StrCat("there is no command '", argv[1], "' (see 'mvault --help')")));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    session->console.Print(absl::StrCat(version.what(), "\n"));
    return Exit(&session->console, ExitCode::kOk);
  } catch (const CLI::CallForHelp&) {
    session->console.Print(app.help());  // Of the command in progress, if there is one.
    return Exit(&session->console, ExitCode::kOk);
  } catch (const CLI::ParseError& error) {
    const std::vector<CLI::App*> commands = app.get_subcommands();
    const std::string help = commands.empty() ? "mvault --help" : absl::StrCat("mvault help ", commands[0]->get_name());
    session->console.PrintError(absl::InvalidArgumentError(absl::StrCat(error.what(), " (see '", help, "')")));
    return Exit(&session->console, ExitCode::kUsage);
  }
  const absl::StatusOr<ExitCode> code = session->command();
  if (code.ok()) return Exit(&session->console, *code);
  session->console.PrintError(code.status());
  return Exit(&session->console, ExitCodeFor(code.status()));
}

int RunAndCatch(int argc, const char* const* argv, Session* session) {
  // Libraries of ours do not throw, but memory may run out in any of them.
  try {
    return Run(argc, argv, session);
  } catch (const std::bad_alloc&) {
    session->console.PrintOutOfMemory();
    return Exit(&session->console, ExitCode::kIoFailure);
  } catch (const std::exception& error) {
    session->console.PrintError(absl::InternalError(error.what()));
  }
  return Exit(&session->console, ExitCode::kInternal);
}

}  // namespace

int RunMvault(int argc, const char* const* argv, FileSystem& file_system, FILE* out, FILE* err, Executor* executor) {
  Console console(out, err);
  const UnsyncedFiles unsynced(file_system);
  Session session{file_system, console, executor};
  file_system.OnUrl(UrlOpenerOf(session));
  const int code = RunAndCatch(argc, argv, &session);
  file_system.OnUrl(nullptr);
  return unsynced.Warn(&console, code);
}

}  // namespace modelvault
