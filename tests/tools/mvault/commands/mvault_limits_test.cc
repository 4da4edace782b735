// The program under limits: of open files, of threads, of memory. Fewer workers or one clear line, never an abort.
#include <errno.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kNoStart = 121;

bool Limit(int resource, rlim_t most) {
  const struct rlimit limit = {most, most};
  return setrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &limit) == 0;
}

// Runs the program in a process in which `limit` was called first.
ProgramRun LimitedMvault(const TempFolder& folder, const std::vector<std::string>& arguments,
                         const std::function<bool()>& limit) {
  std::vector<char*> argv = {const_cast<char*>("mvault")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string out = folder.Write("limited.out", ""), err = folder.Write("limited.err", "");
  const pid_t child = fork();
  if (child == 0) {
    dup2(open(out.c_str(), O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    dup2(open(err.c_str(), O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    closefrom(3);
    if (!limit()) _exit(kNoStart);
    execv(MODELVAULT_PROGRAM, argv.data());
    _exit(kNoStart);
  }
  ProgramRun run;
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  run.out = folder.Read("limited.out");
  run.err = folder.Read("limited.err");
  for (const std::string& file : {out, err}) std::filesystem::remove(file);
  return run;
}

ProgramRun WithFiles(const TempFolder& folder, rlim_t most, const std::vector<std::string>& arguments) {
  return LimitedMvault(folder, arguments, [most] { return Limit(RLIMIT_NOFILE, most); });
}

std::vector<std::string> Models(const std::function<std::string(int)>& file, int count) {
  std::vector<std::string> arguments;
  for (int i = 0; i < count; ++i) {
    arguments.push_back("--variant");
    arguments.push_back(absl::StrCat("v", i, "=", file(i)));
  }
  return arguments;
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(MvaultLimitsTest, AHundredVariantsWithAFewDescriptors) {
  const CliModels models;
  const auto file = [&](int i) { return models.variant(i % 2 == 0 ? "few" : "many"); };
  const std::string vault = models.File("v.mvlt");
  const std::vector<std::string> all = Models(file, 100);
  ASSERT_EQ(Mvault(std::vector<std::string>{"pack", "--base", models.base(), "-o", vault} + all).exit_code, 0);
  const std::string whole = models.folder().Read("v.mvlt");
  for (const rlim_t most : {64, 10}) {
    std::filesystem::remove(vault);
    for (int again = 0; again < 2; ++again) {  // Over nothing, over a vault.
      const ProgramRun pack = WithFiles(models.folder(), most,
                                        std::vector<std::string>{"pack", "--base", models.base(), "-o", vault} + all);
      EXPECT_EQ(pack.exit_code, 0) << most << pack;
      EXPECT_TRUE(models.folder().Read("v.mvlt") == whole);
    }
    EXPECT_EQ(WithFiles(models.folder(), most, std::vector<std::string>{"replace", vault} + all).exit_code, 0) << most;
    const std::string added = models.Pack("added.mvlt");
    const ProgramRun add = WithFiles(models.folder(), most, std::vector<std::string>{"add", added} + all);
    EXPECT_EQ(add.exit_code, 0) << most << add;
    EXPECT_EQ(WithFiles(models.folder(), most, {"verify", added}).exit_code, 0) << most;
  }
}

TEST(MvaultLimitsTest, AFitOfManyVariantsWithAFewDescriptors) {
  const FittingFiles models;
  const auto file = [&](int i) {
    return models.File(i % 2 == 0 ? "variants/alpha.safetensors" : "variants/beta.safetensors");
  };
  const ProgramRun run =
      WithFiles(models.folder(), 10,
                std::vector<std::string>{"fit", "--base", models.files().base, "--lambda", "1e-1", "--rounds", "1",
                                         "--report", models.File("r.html"), "--export-int8", models.File("int8"), "-o",
                                         models.File("v.mvlt")} +
                    Models(file, 40));
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(Mvault({"verify", models.File("v.mvlt")}).exit_code, 0);
}

TEST(MvaultLimitsTest, TooFewDescriptorsAreNamedInOneLine) {
  const CliModels models;
  const ProgramRun run = WithFiles(models.folder(), 4,
                                   {"pack", "--threads", "1", "--base", models.base(), "--variants", models.variants(),
                                    "-o", models.File("v.mvlt")});
  EXPECT_EQ(run.exit_code, 5) << run;
  EXPECT_THAT(run.err, AllOf(StartsWith("mvault: error: "), HasSubstr("the limit is 4 files"), HasSubstr("ulimit -n")));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  EXPECT_FALSE(std::filesystem::exists(models.File("v.mvlt")));
}

TEST(MvaultLimitsTest, WithoutThreadsEverythingIsDoneByOne) {
  const CliModels models;
  const std::string vault = models.Pack();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(models.folder().path())) {
    chmod(entry.path().c_str(), entry.is_directory() ? 0777 : 0666);
  }
  chmod(models.folder().path().c_str(), 0777);
  const auto no_threads = [] {
    // Root is not limited, so it becomes somebody else.
    return Limit(RLIMIT_NPROC, 1) && (getuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
  };
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"verify", vault, "--threads", "4"},
        {"pack", "--threads", "4", "--base", models.base(), "--variants", models.variants(), "-o",
         models.File("v.mvlt")},
        {"restore", vault, "few", "--threads", "4", "-o", models.File("few")}}) {
    const ProgramRun run = LimitedMvault(models.folder(), arguments, no_threads);
    if (run.exit_code == kNoStart || run.exit_code == 127) GTEST_SKIP() << "no other user may start the program here";
    EXPECT_EQ(run.exit_code, 0) << arguments[0] << run;
    EXPECT_EQ(run.err, "");
  }
}

#if !defined(__SANITIZE_ADDRESS__)
TEST(MvaultLimitsTest, WithoutMemoryThereIsOneLine) {
  const CliModels models;
  const auto with = [&](rlim_t mebibytes, const std::vector<std::string>& arguments) {
    return LimitedMvault(models.folder(), arguments, [mebibytes] { return Limit(RLIMIT_AS, mebibytes << 20); });
  };
  rlim_t least = 4;  // That the program takes to do nothing.
  while (least < 512 && with(least, {"--version"}).exit_code != 0) ++least;
  ASSERT_LT(least, 512u);
  int refused = 0;
  for (rlim_t more = 0; more < 16; ++more) {
    const ProgramRun run = with(least + more, {"pack", "--threads", "4", "--base", models.base(), "--variants",
                                               models.variants(), "-o", models.File("v.mvlt")});
    if (run.exit_code == 0) continue;
    ++refused;
    EXPECT_EQ(run.exit_code, 5) << more << run;
    EXPECT_THAT(run.err, StartsWith("mvault: error: "));
    EXPECT_THAT(run.err, HasSubstr("memory"));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
  EXPECT_GT(refused, 0);
}
#endif

}  // namespace
}  // namespace modelvault
