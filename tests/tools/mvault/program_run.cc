#include "tests/tools/mvault/program_run.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/mvault/program.h"

namespace modelvault {
namespace {

std::string Contents(FILE* file) {
  std::string text;
  char buffer[4096];
  rewind(file);
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), file)) > 0;) text.append(buffer, n);
  fclose(file);
  return text;
}

}  // namespace

nlohmann::json ProgramRun::Json() const {
  nlohmann::json json = nlohmann::json::parse(out, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(json.is_discarded()) << "no JSON: " << out << "\n" << err;
  return json;
}

ProgramRun Mvault(const std::vector<std::string>& arguments, const std::string& input) {
  FILE* const in = tmpfile();
  FILE* const out = tmpfile();
  FILE* const err = tmpfile();
  if (in == nullptr || out == nullptr || err == nullptr) abort();
  fwrite(input.data(), 1, input.size(), in);
  rewind(in);  // Which writes it.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(err), STDERR_FILENO);
  std::vector<char*> argv = {const_cast<char*>("mvault")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int spawned = posix_spawn(&pid, MODELVAULT_PROGRAM, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  fclose(in);
  EXPECT_EQ(spawned, 0) << "cannot start " << MODELVAULT_PROGRAM;
  ProgramRun run;
  int status = 0;
  if (spawned == 0 && waitpid(pid, &status, 0) == pid) {
    run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  run.out = Contents(out);
  run.err = Contents(err);
  return run;
}

ProgramRun MvaultOn(FileSystem& file_system, const std::vector<std::string>& arguments) {
  FILE* const out = tmpfile();
  FILE* const err = tmpfile();
  if (out == nullptr || err == nullptr) abort();
  std::vector<const char*> argv = {"mvault"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  ProgramRun run;
  run.exit_code = RunMvault(static_cast<int>(argv.size()) - 1, argv.data(), file_system, out, err);
  run.out = Contents(out);
  run.err = Contents(err);
  return run;
}

}  // namespace modelvault
