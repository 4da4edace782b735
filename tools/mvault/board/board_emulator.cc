#include "tools/mvault/board/board_emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/board/board_machine.h"
#include "vault/file_system.h"

extern char** environ;

namespace modelvault {
namespace {

constexpr char kEmulator[] = "qemu-system-riscv32";
constexpr char kEmulatorPackage[] = "qemu-system-misc";
// Emulators before this one speak a version of their interface that the plugin knows
// (firmware_riscv/sim/qemu_plugin_api.h).
constexpr int kFirstEmulatorWithoutPlugin = 11;
// A program that hangs must not hang us; the slowest honest one takes seconds.
constexpr std::chrono::minutes kTimeLimit(10);
constexpr std::chrono::seconds kVersionTimeLimit(30);
constexpr std::chrono::hours kSessionLimit(24 * 365);  // A user's.
constexpr std::chrono::milliseconds kPollInterval(5);
constexpr char kNothing[] = "/dev/null";  // For standard input.
constexpr char kVersionPrefix[] = "QEMU emulator version ";

// A folder of ours that is removed unless it is kept.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  ~ScratchFolder() {
    if (path_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string File(const char* name) const { return path_ + "/" + name; }
  std::string Keep() { return std::exchange(path_, ""); }

 private:
  std::string path_;
};

absl::StatusOr<std::string> MakeFolder(const std::string& parent) {
  std::string path = parent + "/modelvault-board-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat(parent, ": cannot make a folder there: ", strerror(errno)));
  }
  return path;
}

// `begin`, then zeros up to `strap` at kStrapOffset (if any), then zeros up to a bank's size, as holes.
absl::Status WriteBank(const std::string& path, absl::string_view begin, absl::string_view strap) {
  const auto bytes = [](absl::string_view text) {
    return absl::Span<const uint8_t>(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  };
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = FileSystem::Default().CreateAtomic(path, Durability::kNone);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->Append(bytes(begin)); !status.ok()) return status;
  if (absl::Status status = (*file)->WriteAt(kStrapOffset, bytes(strap)); !status.ok()) return status;
  if ((*file)->size() < kFlashBankSize) {
    constexpr uint8_t kZero[1] = {0};
    if (absl::Status status = (*file)->WriteAt(kFlashBankSize - 1, kZero); !status.ok()) return status;
  }
  return (*file)->Commit();
}

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  return ReadTextFile(FileSystem::Default(), path, std::numeric_limits<uint64_t>::max());
}

std::string ReadIfThere(const std::string& path) { return ReadAll(path).value_or(""); }

bool IsProgram(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

absl::StatusOr<std::string> FindEmulator(const std::string& given) {
  const std::string name = given.empty() ? kEmulator : given;
  if (name.find('/') != std::string::npos) {
    if (IsProgram(name)) return name;
    return absl::NotFoundError(absl::StrCat("there is no emulator ", name));
  }
  const char* path = getenv("PATH");
  for (const auto folder : absl::StrSplit(path != nullptr ? path : "", ':', absl::SkipEmpty())) {
    const std::string candidate = absl::StrCat(folder, "/", name);
    if (IsProgram(candidate)) return candidate;
  }
  return absl::NotFoundError(absl::StrCat("the emulator ", name, " is not installed (Debian: apt-get install ",
                                          kEmulatorPackage, "), and --emulator does not name one"));
}

// ../share/modelvault, seen from the running program; empty if there is no such folder.
std::string InstalledFolder() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "";
  const std::filesystem::path folder = self.parent_path().parent_path() / "share" / "modelvault";
  return std::filesystem::is_directory(folder, error) ? folder.string() : "";
}

absl::StatusOr<std::string> FindFile(const std::string& given, const char* name, const std::string& built,
                                     const char* what, const char* option) {
  std::vector<std::string> places;
  if (!given.empty()) {
    places.push_back(given);
  } else {
    if (const std::string installed = InstalledFolder(); !installed.empty()) places.push_back(installed + "/" + name);
    places.push_back(built);
  }
  std::string tried;
  for (const std::string& place : places) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(place, ignored)) return place;
    absl::StrAppend(&tried, tried.empty() ? "" : " and ", place);
  }
  return absl::NotFoundError(
      absl::StrCat("there is no ", what, " (tried ", tried,
                   "): build the target firmware_riscv (with MODELVAULT_RISCV=ON), or give it with ", option));
}

// While it lives, `signal` does nothing to this process.
class SignalIgnored {
 public:
  explicit SignalIgnored(int signal) : signal_(signal) {
    struct sigaction ignored = {};
    ignored.sa_handler = SIG_IGN;
    sigaction(signal_, &ignored, &before_);
  }
  ~SignalIgnored() { sigaction(signal_, &before_, nullptr); }
  SignalIgnored(const SignalIgnored&) = delete;
  SignalIgnored& operator=(const SignalIgnored&) = delete;

 private:
  int signal_;
  struct sigaction before_ = {};
};

// All of standard input, and a line "exit".
absl::Status CopyInput(const std::string& path) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t size = read(STDIN_FILENO, piece, sizeof(piece));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return absl::UnavailableError(absl::StrCat("standard input: ", strerror(errno)));
    if (size == 0) break;
    text.append(piece, static_cast<size_t>(size));
  }
  absl::StrAppend(&text, text.empty() || text.back() == '\n' ? "" : "\n", "exit\n");
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = FileSystem::Default().CreateAtomic(path, Durability::kNone);
  if (!file.ok()) return file.status();
  const absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return status.ok() ? (*file)->Commit() : status;
}

// Waits for `pid`, at most `limit`; then kills it. The result is as EmulatorRun::exit_code, or nothing.
absl::StatusOr<int> WaitFor(pid_t pid, std::chrono::seconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (ended < 0 && errno != EINTR) {
      return absl::UnavailableError(absl::StrCat("cannot wait for the emulator: ", strerror(errno)));
    }
    if (std::chrono::steady_clock::now() - begin > limit) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return absl::UnavailableError(
          absl::StrCat("the emulator did not end within ", limit.count(), " seconds and was stopped"));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

// A descriptor that is closed.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  void Close() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

// Where a program's standard input, output and errors are: descriptors, files, or, where both are nothing, this
// process's own.
struct Streams {
  std::string in;
  std::string out;
  std::string err;
  int in_descriptor = -1;
  int out_descriptor = -1;
};

absl::StatusOr<pid_t> StartProgram(const std::vector<std::string>& arguments, const Streams& streams) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const auto open = [&](int descriptor, const std::string& path, int flags) {
    if (!path.empty()) posix_spawn_file_actions_addopen(&actions, descriptor, path.c_str(), flags, 0600);
  };
  open(STDIN_FILENO, streams.in, O_RDONLY);
  open(STDOUT_FILENO, streams.out, O_WRONLY | O_CREAT | O_TRUNC);
  open(STDERR_FILENO, streams.err, O_WRONLY | O_CREAT | O_TRUNC);
  if (streams.in_descriptor >= 0) {
    posix_spawn_file_actions_adddup2(&actions, streams.in_descriptor, STDIN_FILENO);
  }
  if (streams.out_descriptor >= 0) {
    posix_spawn_file_actions_adddup2(&actions, streams.out_descriptor, STDOUT_FILENO);
  }
  // A signal that this process ignores is the program's again.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return pid;
  return absl::UnavailableError(absl::StrCat(argv[0], ": cannot be started: ", strerror(error)));
}

absl::StatusOr<int> RunProgram(const std::vector<std::string>& arguments, const Streams& streams,
                               std::chrono::seconds limit) {
  const absl::StatusOr<pid_t> pid = StartProgram(arguments, streams);
  return pid.ok() ? WaitFor(*pid, limit) : absl::StatusOr<int>(pid.status());
}

// Whoever is at the other end may have gone.
void Send(int descriptor, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = write(descriptor, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
}

// Reads what a program prints until it ends or `end` comes, and answers line by line.
void Talk(int from, int to, std::chrono::steady_clock::time_point end, const LineAnswer& answer, std::string* output) {
  size_t line = 0;  // Where the last one begins.
  for (;;) {
    pollfd waits = {from, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int ready = left.count() > 0 ? poll(&waits, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return;
    char piece[4096];
    const ssize_t size = read(from, piece, sizeof(piece));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    output->append(piece, static_cast<size_t>(size));
    for (size_t next = output->find('\n', line); next != std::string::npos; next = output->find('\n', line)) {
      Send(to, answer(absl::string_view(*output).substr(line, next - line)));
      line = next + 1;
    }
  }
}

// Runs a program with somebody at its standard input and output.
absl::StatusOr<int> TalkToProgram(const std::vector<std::string>& arguments, const std::string& errors,
                                  const LineAnswer& answer, std::string* output) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("a pipe: ", strerror(errno)));
  Descriptor in_read(in[0]), in_write(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("a pipe: ", strerror(errno)));
  Descriptor out_read(out[0]), out_write(out[1]);
  const SignalIgnored broken_pipe(SIGPIPE);
  Streams streams;
  streams.err = errors;
  streams.in_descriptor = in_read.number();
  streams.out_descriptor = out_write.number();
  const auto end = std::chrono::steady_clock::now() + kTimeLimit;
  const absl::StatusOr<pid_t> pid = StartProgram(arguments, streams);
  if (!pid.ok()) return pid.status();
  in_read.Close();
  out_write.Close();
  Talk(out_read.number(), in_write.number(), end, answer, output);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(end - std::chrono::steady_clock::now());
  return WaitFor(*pid, std::max(left, std::chrono::seconds(1)));
}

// The version that the emulator says it has, such as "7.2.22"; empty if it says none.
std::string EmulatorVersion(const std::string& emulator) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  absl::StatusOr<std::string> made = MakeFolder(error ? "/tmp" : parent.string());
  if (!made.ok()) return "";
  const ScratchFolder folder(*std::move(made));
  const absl::StatusOr<int> exit_code =
      RunProgram({emulator, "--version"}, {kNothing, folder.File("out"), folder.File("err")}, kVersionTimeLimit);
  if (!exit_code.ok() || *exit_code != 0) return "";
  const std::string said = ReadIfThere(folder.File("out"));
  const size_t at = said.find(kVersionPrefix);
  if (at == std::string::npos) return "";
  const size_t begin = at + strlen(kVersionPrefix);
  return said.substr(begin, said.find_first_not_of("0123456789.", begin) - begin);
}

}  // namespace

absl::StatusOr<BoardFiles> FindBoardFiles(BoardFiles given) {
  absl::StatusOr<std::string> emulator = FindEmulator(given.emulator);
  if (!emulator.ok()) return emulator.status();
  given.emulator = *std::move(emulator);
  absl::StatusOr<std::string> firmware =
      FindFile(given.firmware, "modelvault_board.bin", MODELVAULT_BOARD_FIRMWARE, "firmware image", "--firmware");
  if (!firmware.ok()) return firmware.status();
  given.firmware = *std::move(firmware);
  // Who names a plugin of their own knows what it is for.
  const std::string version = given.plugin.empty() ? EmulatorVersion(given.emulator) : "";
  if (!version.empty() && atoi(version.c_str()) >= kFirstEmulatorWithoutPlugin) {
    given.uncounted = absl::StrCat("the cycle plugin is for QEMU up to ", kFirstEmulatorWithoutPlugin - 1, ".x; ",
                                   given.emulator, " is ", version);
    return given;
  }
  absl::StatusOr<std::string> plugin =
      FindFile(given.plugin, "modelvault_cycles.so", MODELVAULT_CYCLE_PLUGIN, "cycle plugin", "--plugin");
  if (!plugin.ok()) return plugin.status();
  given.plugin = *std::move(plugin);
  if (given.symbols.empty()) {
    given.symbols = std::filesystem::path(given.firmware).replace_extension(".symbols").string();
  }
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(given.symbols, ignored)) given.symbols.clear();
  return given;
}

absl::StatusOr<std::unique_ptr<BoardEmulator>> BoardEmulator::Create(const BoardFiles& files,
                                                                     absl::Span<const uint8_t> vault,
                                                                     std::optional<TrustStraps> trust) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  absl::StatusOr<std::string> made = MakeFolder(error ? "/tmp" : parent.string());
  if (!made.ok()) return made.status();
  ScratchFolder folder(*std::move(made));
  absl::Status status =
      WriteBank(folder.File("vault.img"), {reinterpret_cast<const char*>(vault.data()), vault.size()}, "");
  if (!status.ok()) return status;
  return std::unique_ptr<BoardEmulator>(new BoardEmulator(files, folder.Keep(), std::move(trust)));
}

BoardEmulator::~BoardEmulator() { ScratchFolder removed(folder_); }

absl::StatusOr<EmulatorRun> BoardEmulator::Run(absl::string_view strap, uint64_t wait_states) const {
  std::string counting = absl::StrCat(",wait=", wait_states);
  if (!files_.symbols.empty()) absl::StrAppend(&counting, ",symbols=", EscapedForEmulator(files_.symbols));
  absl::StatusOr<EmulatorRun> run = RunOnce(strap, files_.plugin, counting, /*keeps_flash=*/false);
  if (!run.ok() || files_.plugin.empty()) {
    if (run.ok()) run->uncounted = files_.uncounted;
    return run;
  }
  // A plugin that was loaded leaves a report, whatever the board program did.
  const bool refused =
      run->exit_code != 0 && run->output.empty() && run->counts.empty() && absl::StrContains(run->errors, "plugin");
  if (!refused) return run;
  const std::string reason =
      absl::StrCat(files_.emulator, " does not load the cycle plugin: ", absl::StripAsciiWhitespace(run->errors));
  run = RunOnce(strap, "", "", /*keeps_flash=*/false);
  if (run.ok()) run->uncounted = reason;
  return run;
}

absl::StatusOr<EmulatorRun> BoardEmulator::Start(absl::string_view strap, uint64_t cut) const {
  return StartWith(strap, cut, nullptr);
}

absl::StatusOr<EmulatorRun> BoardEmulator::StartWith(absl::string_view strap, uint64_t cut,
                                                     const LineAnswer& answer) const {
  if (cut == 0) return RunOnce(strap, "", "", /*keeps_flash=*/true, answer);
  if (files_.plugin.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the power cannot be cut: ", files_.uncounted));
  }
  return RunOnce(strap, files_.plugin, absl::StrCat(",cut=", cut), /*keeps_flash=*/true, answer);
}

absl::Status BoardEmulator::WriteFlash(uint64_t offset, absl::string_view bytes) const {
  const std::string path = folder_ + "/vault.img";
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": cannot be written"));
}

absl::Status BoardEmulator::WriteCode(const std::string& path, absl::string_view strap) const {
  const absl::StatusOr<std::string> firmware = ReadAll(files_.firmware);
  if (!firmware.ok()) return firmware.status();
  if (firmware->empty() || firmware->size() > kStrapOffset) {
    return absl::InvalidArgumentError(absl::StrCat(files_.firmware, ": ", firmware->size(),
                                                   " bytes: expected a firmware image of 1 to ", kStrapOffset));
  }
  return WriteBank(path, *firmware, trust_.has_value() ? WithTrust(std::string(strap), *trust_) : std::string(strap));
}

absl::StatusOr<EmulatorRun> BoardEmulator::RunOnce(absl::string_view strap, const std::string& plugin,
                                                   const std::string& plugin_arguments, bool keeps_flash,
                                                   const LineAnswer& answer) const {
  absl::StatusOr<std::string> made = MakeFolder(folder_);
  if (!made.ok()) return made.status();
  const ScratchFolder folder(*std::move(made));
  if (absl::Status status = WriteCode(folder.File("code.img"), strap); !status.ok()) return status;
  std::string loaded;
  if (!plugin.empty()) {
    loaded =
        absl::StrCat(EscapedForEmulator(plugin), ",out=", EscapedForEmulator(folder.File("counts")), plugin_arguments);
  }
  std::vector<std::string> command =
      EmulatorArguments({folder.File("code.img"), folder_ + "/vault.img", !keeps_flash}, loaded);
  command.insert(command.begin(), files_.emulator);
  std::string output;
  absl::StatusOr<int> exit_code = 0;
  if (answer != nullptr) {
    exit_code = TalkToProgram(command, folder.File("err"), answer, &output);
  } else {
    exit_code = RunProgram(command, {kNothing, folder.File("out"), folder.File("err")}, kTimeLimit);
    output = ReadIfThere(folder.File("out"));
  }
  if (!exit_code.ok()) return exit_code.status();
  return EmulatorRun{*exit_code, std::move(output), ReadIfThere(folder.File("err")), ReadIfThere(folder.File("counts")),
                     ""};
}

absl::StatusOr<int> BoardEmulator::Connect() const {
  absl::StatusOr<std::string> made = MakeFolder(folder_);
  if (!made.ok()) return made.status();
  const ScratchFolder folder(*std::move(made));
  if (absl::Status status = WriteCode(folder.File("code.img"), ""); !status.ok()) return status;
  std::string input;
  if (isatty(STDIN_FILENO) == 0) {
    input = folder.File("in");
    if (absl::Status status = CopyInput(input); !status.ok()) return status;
  }
  std::vector<std::string> command =
      EmulatorArguments({folder.File("code.img"), folder_ + "/vault.img", /*vault_read_only=*/false}, "");
  command.insert(command.begin(), files_.emulator);
  // Ctrl-C is the emulator's: it ends, and this process removes the folder.
  const SignalIgnored interrupt(SIGINT);
  return RunProgram(command, {input, "", ""}, kSessionLimit);
}

}  // namespace modelvault
