// The program killed while it changes a vault or restores a model: under a tracer that stops it at each system call
// that changes files, and lets it die there, before the call is carried out or right after. On the disk is then the old
// vault or the new one, and the whole model or none.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/formats/onnx/onnx_bytes.h"
#include "tests/tools/packing/model_files.h"
#include "tests/vault/memory_file.h"
#include "tools/packing/pack.h"
#include "vault/vault_reader.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

// Whether a system call may change what is on the disk, or the right to do so.
bool ChangesFiles(uint64_t number) {
  static const std::vector<long> calls = {
      SYS_write,    SYS_writev,    SYS_pwrite64,  SYS_pwritev,   SYS_copy_file_range, SYS_sendfile,
      SYS_fsync,    SYS_fdatasync, SYS_ftruncate, SYS_fchmod,    SYS_flock,           SYS_openat,
      SYS_renameat, SYS_renameat2, SYS_unlinkat,  SYS_fallocate, SYS_mkdirat,
#ifdef SYS_rename  // Newer architectures have the forms above alone.
      SYS_rename,   SYS_unlink,    SYS_open,      SYS_mkdir,     SYS_rmdir,
#endif
  };
  return std::find(calls.begin(), calls.end(), static_cast<long>(number)) != calls.end();
}

struct Outcome {
  bool killed = false;
  int exit_code = -1;
};

// Runs the program until its `kill_at`-th stop before (or after) such a call, and kills it there.
Outcome RunTraced(const std::vector<std::string>& arguments, int kill_at, bool after) {
  std::vector<char*> argv;
  std::vector<std::string> all = {MODELVAULT_PROGRAM};
  all.insert(all.end(), arguments.begin(), arguments.end());
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // A sanitizer's search for leaks does not work under a tracer.
  std::string no_leaks = "ASAN_OPTIONS=detect_leaks=0";
  char* environment[] = {no_leaks.data(), nullptr};

  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(120);
    raise(SIGSTOP);
    execve(argv[0], argv.data(), environment);
    _exit(121);
  }
  Outcome outcome;
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
    ADD_FAILURE() << "the child cannot be traced";
    return outcome;
  }
  EXPECT_EQ(ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
  int count = 0;
  uint64_t number = 0;
  int forward = 0;  // A signal that the child is to have.
  for (;;) {
    if (ptrace(PTRACE_SYSCALL, child, nullptr, forward) != 0 || waitpid(child, &status, 0) != child) {
      ADD_FAILURE() << "lost the child";
      return outcome;
    }
    forward = 0;
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      if (WSTOPSIG(status) != SIGTRAP) forward = WSTOPSIG(status);  // SIGTRAP: the program has been loaded.
      continue;
    }
    __ptrace_syscall_info info = {};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) <= 0) {
      ADD_FAILURE() << "the kernel does not tell of system calls";
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return outcome;
    }
    const bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (entry) number = info.entry.nr;
    if (entry == after || !ChangesFiles(number)) continue;
    if (++count != kill_at) continue;
    kill(child, SIGKILL);
    if (waitpid(child, &status, 0) != child) ADD_FAILURE() << "lost the child";
    break;
  }
  outcome.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

class KillTest : public testing::Test {
 protected:
  void SetUp() override {
    TestRandom random(70);
    FileModel base;
    base.tensors = {MakeTensor("w", "I8", {60, 160}, &random), MakeTensor("n", "F32", {20}, &random)};
    folder_.Write("base.safetensors", Serialize(base));
    for (const std::string name : {"claims", "fleet", "hr", "new"}) {
      folder_.Write(name + ".safetensors", Serialize(Ternary(base, 9, &random)));
    }
    std::vector<VariantInput> inputs;
    for (const std::string name : {"claims", "fleet", "hr"}) inputs.push_back({name, Model(name)});
    PackOptions options;
    options.chunk_size = 1024;
    options.segment_size = 4096;
    ASSERT_THAT(PackVault(FileSystem::Default(), Model("base"), inputs, vault_, options), IsOk());
    old_ = folder_.Read("v.mvlt");
    names_ = folder_.Names();
  }
  std::string Model(const std::string& name) const { return folder_.File(name + ".safetensors"); }

  void Restart() {
    for (const std::string& name : folder_.Names()) {
      if (std::find(names_.begin(), names_.end(), name) == names_.end()) std::filesystem::remove(folder_.File(name));
    }
    folder_.Write("v.mvlt", old_);
  }

  // Kills the program wherever it changes files. `is_new`: whether the vault is what a whole run makes; it has the same
  // bytes unless that says otherwise.
  void ExpectOldOrNew(const std::vector<std::string>& arguments,
                      const std::function<bool(const std::string&)>& is_new = nullptr) {
    SCOPED_TRACE(arguments[0]);
    Restart();
    const Outcome whole = RunTraced(arguments, 0, false);
    ASSERT_EQ(whole.exit_code, 0);
    const std::string fresh = folder_.Read("v.mvlt");
    ASSERT_FALSE(fresh == old_);
    ASSERT_THAT(VerifyVault(fresh), IsOk());
    EXPECT_EQ(folder_.Names(), names_);
    for (const bool after : {false, true}) {
      int old_left = 0, new_left = 0;
      for (int n = 1;; ++n) {
        SCOPED_TRACE(absl::StrCat("killed ", after ? "after" : "before", " call ", n));
        Restart();
        const Outcome outcome = RunTraced(arguments, n, after);
        const std::string found = folder_.Read("v.mvlt");
        if (!outcome.killed) {
          EXPECT_EQ(outcome.exit_code, 0);
          EXPECT_TRUE(is_new ? is_new(found) : found == fresh);
          break;
        }
        ASSERT_TRUE(found == old_ || (is_new ? is_new(found) : found == fresh));
        ++(found == old_ ? old_left : new_left);
        EXPECT_THAT(VerifyVault(FileSystem::Default(), vault_), IsOk());
        // Neither a lock nor a leftover is in the way of the next.
        if (found == old_ && n % 8 == 0) {
          EXPECT_EQ(RunTraced(arguments, 0, false).exit_code, 0);
          EXPECT_TRUE(is_new ? is_new(folder_.Read("v.mvlt")) : folder_.Read("v.mvlt") == fresh);
          // And what the killed one left is gone.
          EXPECT_EQ(folder_.Names(), names_);
        }
      }
      EXPECT_GE(old_left, 5);
      EXPECT_GE(new_left, 1);
    }
  }

  TempFolder folder_;
  const std::string vault_ = folder_.File("v.mvlt");
  std::string old_;
  std::vector<std::string> names_;
};

TEST_F(KillTest, Pack) {
  ExpectOldOrNew({"pack", "--base", Model("base"), "--variant", "new=" + Model("new"), "--threads", "1", "-o", vault_});
}

TEST_F(KillTest, Add) { ExpectOldOrNew({"add", vault_, "--variant", "new=" + Model("new"), "--threads", "1"}); }

TEST_F(KillTest, Replace) {
  ExpectOldOrNew({"replace", vault_, "--variant", "fleet=" + Model("new"), "--threads", "1"});
}

TEST_F(KillTest, Rename) { ExpectOldOrNew({"rename", vault_, "hr", "people"}); }

TEST_F(KillTest, Remove) { ExpectOldOrNew({"rm", vault_, "fleet"}); }

TEST_F(KillTest, Compact) {
  ASSERT_EQ(RunTraced({"rm", vault_, "claims"}, 0, false).exit_code, 0);
  old_ = folder_.Read("v.mvlt");
  ExpectOldOrNew({"compact", vault_});
}

class SigningKillTest : public KillTest {
 protected:
  void SetUp() override {
    KillTest::SetUp();
    for (const std::string name : {"k", "next"}) Run({"keygen", "--out", folder_.File(name)});
    Run({"sign", vault_, "--key", key_});
    Update();
  }
  void Run(const std::vector<std::string>& arguments) { ASSERT_EQ(RunTraced(arguments, 0, false).exit_code, 0); }
  // What is there is what the killed program starts from.
  void Update() {
    old_ = folder_.Read("v.mvlt");
    names_ = folder_.Names();
  }
  std::unique_ptr<VaultReader> Open(const std::string& bytes) const {
    auto vault =
        VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "v.mvlt"));
    EXPECT_THAT(vault, IsOk());
    return *std::move(vault);
  }

  const std::string key_ = folder_.File("k.key");
};

TEST_F(SigningKillTest, Sign) {
  ExpectOldOrNew({"sign", vault_, "--key", key_, "--not-after", "2100-01-01"}, [this](const std::string& bytes) {
    const auto vault = Open(bytes);
    return vault->root() != nullptr && vault->root()->not_after != 0 && !RootSigners(*vault).empty();
  });
}

TEST_F(SigningKillTest, Rotate) {
  ExpectOldOrNew({"rotate", vault_, "--key", key_, "--to", folder_.File("next.pub")}, [this](const std::string& bytes) {
    const auto vault = Open(bytes);
    return vault->root() != nullptr && vault->root()->key_set_count == 2;
  });
}

TEST_F(SigningKillTest, RevokeLeavesTheOldListOrTheNewAndTheVault) {
  const std::string list = folder_.File("v.mvrl");
  Run({"revoke", vault_, "hr", "--list", list, "--key", key_});
  Update();
  const std::string old_list = folder_.Read("v.mvrl");
  const std::vector<std::string> revoke = {"revoke", vault_, "fleet", "--list", list, "--key", key_};
  Run(revoke);
  const std::string fresh = folder_.Read("v.mvrl");
  for (const bool after : {false, true}) {
    int old_left = 0, new_left = 0;
    for (int n = 1;; ++n) {
      SCOPED_TRACE(absl::StrCat("killed ", after ? "after" : "before", " call ", n));
      Restart();
      folder_.Write("v.mvrl", old_list);
      const Outcome outcome = RunTraced(revoke, n, after);
      const std::string found = folder_.Read("v.mvrl");
      ASSERT_TRUE(found == old_list || found == fresh);
      EXPECT_TRUE(folder_.Read("v.mvlt") == old_);
      if (!outcome.killed) break;
      ++(found == old_list ? old_left : new_left);
    }
    EXPECT_GE(old_left, 3);
    EXPECT_GE(new_left, 1);
  }
}

TEST_F(KillTest, RestoreOfAFolder) {
  // With a folder in the folder.
  const std::map<std::string, std::string> files = {
      {"data/deep/w.bin", std::string(2000, 'w')},
      {"m.onnx", onnx::Model(onnx::Initializer(
                     onnx::ExternalTensor("w", onnx::kInt8, {20, 100}, {{"location", "data/deep/w.bin"}})))}};
  std::filesystem::create_directories(folder_.File("model/data/deep"));
  for (const auto& [path, bytes] : files) folder_.Write("model/" + path, bytes);
  ASSERT_THAT(PackVault(FileSystem::Default(), folder_.File("model"), {{"v", folder_.File("model")}}, vault_, {}),
              IsOk());
  names_ = folder_.Names();
  const std::string out = folder_.File("out");
  const std::vector<std::string> restore = {"restore", vault_, "v", "--threads", "1", "-o", out};
  const auto found = [&] {
    std::map<std::string, std::string> there;
    if (!std::filesystem::exists(out)) return there;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(out)) {
      const std::string path = std::filesystem::relative(entry.path(), out);
      if (entry.is_regular_file()) there[path] = folder_.Read("out/" + path);
    }
    return there;
  };
  for (const bool after : {false, true}) {
    int none_left = 0, all_left = 0;
    for (int n = 1;; ++n) {
      SCOPED_TRACE(absl::StrCat("killed ", after ? "after" : "before", " call ", n));
      for (const std::string& name : folder_.Names()) {
        if (std::find(names_.begin(), names_.end(), name) == names_.end())
          std::filesystem::remove_all(folder_.File(name));
      }
      const Outcome outcome = RunTraced(restore, n, after);
      if (!outcome.killed) {
        EXPECT_EQ(outcome.exit_code, 0);
        EXPECT_EQ(found(), files);
        break;
      }
      ASSERT_TRUE(!std::filesystem::exists(out) || found() == files);
      ++(std::filesystem::exists(out) ? all_left : none_left);
      // What is left over is hidden, and in nobody's way.
      for (const std::string& name : folder_.Names()) {
        if (std::find(names_.begin(), names_.end(), name) != names_.end() || name == "out") continue;
        ASSERT_THAT(name, testing::AllOf(testing::StartsWith(".out."), testing::EndsWith(".tmp")));
      }
      if (std::filesystem::exists(out) || n % 8 != 0) continue;
      EXPECT_EQ(RunTraced(restore, 0, false).exit_code, 0);
      EXPECT_EQ(found(), files);
    }
    EXPECT_GE(none_left, 10);
    EXPECT_GE(all_left, 1);
  }
}

TEST_F(KillTest, FitStartedAgainGoesOnToTheSameBytes) {
  TestRandom random(71);
  const auto floats = [&](uint64_t count) {
    std::string data;
    for (uint64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(random.Below(2001)) / 1000 - 1;
      data.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    return data;
  };
  for (const std::string name : {"float", "a", "b"}) {
    FileModel model;
    model.tensors = {{"w", "F32", {12, 20}, floats(240)}, {"n", "F32", {8}, floats(8)}};
    folder_.Write(name + ".safetensors", Serialize(model));
  }
  names_ = folder_.Names();
  const std::vector<std::string> fit = {
      "fit",      "--base", Model("float"), "--variant", "a=" + Model("a"), "--variant", "b=" + Model("b"),
      "--lambda", "1e-3",   "--rounds",     "2",         "--threads",       "1",         "-o",
      vault_};
  ASSERT_EQ(RunTraced(fit, 0, false).exit_code, 0);
  const std::string fresh = folder_.Read("v.mvlt");
  ASSERT_FALSE(fresh == old_);
  EXPECT_EQ(folder_.Names(), names_);
  for (const bool after : {false, true}) {
    int kills = 0;
    for (int n = 1;; n += 2) {
      SCOPED_TRACE(absl::StrCat("killed ", after ? "after" : "before", " call ", n));
      folder_.Write("v.mvlt", old_);
      const Outcome outcome = RunTraced(fit, n, after);
      const std::string found = folder_.Read("v.mvlt");
      if (!outcome.killed) {
        EXPECT_EQ(outcome.exit_code, 0);
        break;
      }
      ++kills;
      ASSERT_TRUE(found == old_ || found == fresh);
      ASSERT_EQ(RunTraced(fit, 0, false).exit_code, 0);
      ASSERT_TRUE(folder_.Read("v.mvlt") == fresh);
      // A temporary file, hidden, is all that a killed run may leave, and only if it came to name the vault; or its
      // work folder, empty, if it was just about to mark or to remove it: it might be anybody's then.
      for (const std::string& name : folder_.Names()) {
        if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
        if (name == "v.mvlt.fit-work") {
          ASSERT_TRUE(std::filesystem::is_empty(folder_.File(name)));
        } else {
          ASSERT_THAT(name, testing::AllOf(testing::StartsWith(".v.mvlt."), testing::EndsWith(".tmp")));
        }
        std::filesystem::remove(folder_.File(name));
      }
    }
    EXPECT_GE(kills, 20);
  }
}

}  // namespace
}  // namespace modelvault
