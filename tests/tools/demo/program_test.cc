// Runs mvault_demo itself: flags, output and exit codes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <string>

#include "nlohmann/json.hpp"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/demo/small_demo.h"
#include "tools/demo/pipeline.h"

namespace modelvault::demo {
namespace {

using testing::HasSubstr;

struct Outcome {
  int exit_code = -1;
  std::string output;
  std::string errors;
};

class ProgramTest : public testing::Test {
 protected:
  // `arguments` go through the shell.
  Outcome Run(const std::string& arguments) {
    Outcome outcome;
    const std::string command =
        std::string(MODELVAULT_DEMO_PROGRAM) + " " + arguments + " 2>" + scratch_.File("errors");
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return outcome;
    char buffer[4096];
    while (const size_t size = fread(buffer, 1, sizeof(buffer), pipe)) outcome.output.append(buffer, size);
    const int status = pclose(pipe);
    if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
    outcome.errors = scratch_.Read("errors");
    return outcome;
  }

  // A folder as `train` leaves it, of small models.
  void MakeData() {
    DemoOptions options = SmallDemo();
    options.base.steps = 50;
    options.fine_tuning.steps = 20;
    const absl::StatusOr<TrainingRecord> record = TrainDemo(FileSystem::Default(), options, data_.path(), nullptr);
    ASSERT_THAT(record, IsOk());
    record_ = *record;
  }

  const TempFolder scratch_;
  const TempFolder data_;
  TrainingRecord record_;
};

TEST_F(ProgramTest, HelpAndWrongCommandLines) {
  const Outcome help = Run("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, testing::AllOf(HasSubstr("train"), HasSubstr("eval"), HasSubstr("table")));
  for (const std::string command : {"train", "eval", "patient", "table"}) {
    const Outcome outcome = Run(command + " --help");
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, HasSubstr("Exit codes: 0 done; 1 failed"));
  }
  for (const std::string arguments :
       {"", "fly", "train", "train --out x --departments 101", "train --out x --departments 0",
        "train --out x --seed y", "eval --data x --model y", "patient --data x --department y --other z",
        "table --data x --models y", "table --data x --models y --vault-bytes 0", "table --data x --vault-bytes 1",
        "table --data x --models y --vault-bytes 1 --page z", "table --data x --models y --vault-bytes 1 --info z"}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments;
    EXPECT_THAT(outcome.errors, testing::Not(testing::IsEmpty())) << arguments;
    EXPECT_THAT(outcome.output, testing::IsEmpty()) << arguments;
  }
}

TEST_F(ProgramTest, EvalPrintsWhatTheModelScoredWhenItWasTrained) {
  MakeData();
  const DepartmentResult& department = record_.departments[2];
  const std::string arguments = "eval --data " + data_.path() + " --department " + department.name + " --model " +
                                data_.File("variants/" + department.name + ".safetensors");
  const Outcome text = Run(arguments);
  EXPECT_EQ(text.exit_code, 0) << text.errors;
  EXPECT_THAT(text.output, HasSubstr(department.name + ": right on "));
  EXPECT_THAT(text.errors, testing::IsEmpty());
  const Outcome json = Run(arguments + " --json");
  EXPECT_EQ(json.exit_code, 0) << json.errors;
  const auto result = nlohmann::json::parse(json.output, nullptr, false);
  EXPECT_EQ(result["department"], department.name);
  EXPECT_EQ(result["top1"], department.finetune_top1);
  EXPECT_EQ(result["finetune_top1"], department.finetune_top1);
  EXPECT_EQ(result["samples"], record_.heldout_samples);
}

TEST_F(ProgramTest, APatientIsWrittenAndBothClassesArePrinted) {
  MakeData();
  const std::string& name = record_.departments[0].name;
  const std::string& other = record_.departments[1].name;
  const std::string command =
      "patient --data " + data_.path() + " --out " + scratch_.File("patient") + " --department " + name + " --other ";
  const Outcome outcome = Run(command + other);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, testing::MatchesRegex(name + " [0-4]\n" + other + " [0-4]\n"));
  EXPECT_THAT(scratch_.Read("patient"), testing::MatchesRegex("(-?[0-9]+\\.[0-9] ){20}-?[0-9]+\\.[0-9]\n"));
  const Outcome same = Run(command + name);
  EXPECT_EQ(same.exit_code, 1);
  EXPECT_THAT(same.errors, HasSubstr("treat every finding alike"));
}

TEST_F(ProgramTest, TablePrintsToStandardOutput) {
  MakeData();
  const std::string sizes = scratch_.Write(
      "sizes.json", R"({"variants":[{"name":")" + record_.departments[0].name + R"(","stored_bytes":4321}]})");
  const std::string command =
      "table --data " + data_.path() + " --models " + data_.File("variants") + " --vault-bytes 12345";
  const Outcome table = Run(command + " --sizes " + sizes);
  EXPECT_EQ(table.exit_code, 0) << table.errors;
  EXPECT_THAT(table.output, testing::AllOf(HasSubstr("12,345 bytes"), HasSubstr("4,321")));
  EXPECT_THAT(table.errors, testing::IsEmpty());
  EXPECT_EQ(Run(command + " >/dev/full").exit_code, 1);
}

TEST_F(ProgramTest, TableDrawsThePageToo) {
  MakeData();
  const std::string info = scratch_.Write(
      "info.json", R"({"sections":{"header":1,"model":1,"chunks":1,"base":1,"variants":1,"index":1,"manifest":1,)"
                   R"("padding":12338}})");
  const std::string page = scratch_.File("page.html");
  const Outcome table = Run("table --data " + data_.path() + " --models " + data_.File("variants") +
                            " --vault-bytes 12345 --info " + info + " --page " + page);
  EXPECT_EQ(table.exit_code, 0) << table.errors;
  EXPECT_THAT(table.output, HasSubstr("12,345 bytes"));
  EXPECT_THAT(scratch_.Read("page.html"), testing::AllOf(HasSubstr("12,345"), HasSubstr(record_.departments[0].name)));
}

TEST_F(ProgramTest, FailuresAreToldOnStandardError) {
  MakeData();
  const std::string data = "--data " + data_.path();
  const std::string model = " --model " + data_.File("base.safetensors");
  const std::string department = " --department " + record_.departments[0].name;
  const std::string models = " --vault-bytes 1 --models " + data_.File("variants");
  const std::pair<std::string, std::string> failures[] = {
      {"train --out " + data_.path(), "variants: not empty"},
      {"eval --data " + scratch_.path() + model + department, "demo.json"},
      {"eval " + data + model + " --department nowhere", "no department 'nowhere'"},
      {"eval " + data + department + " --model " + data_.File("demo.json"), "demo.json"},
      {"table " + data + models + " --sizes " + scratch_.File("none"), "none"},
      {"table " + data + models + " --sizes " + data_.File("demo.json"), "demo.json"},
      {"table " + data + models + " --page " + scratch_.File("p") + " --info " + scratch_.File("none"), "none"},
      {"table " + data + models + " --page " + scratch_.File("p") + " --info " + data_.File("demo.json"), "'sections'"},
      {"table --data " + scratch_.path() + models, "demo.json"},
      {"table " + data + " --vault-bytes 1 --models " + scratch_.path(), record_.departments[0].name},
  };
  for (const auto& [arguments, reason] : failures) {
    SCOPED_TRACE(arguments);
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, testing::AllOf(testing::StartsWith("mvault_demo: "), HasSubstr(reason)));
    EXPECT_THAT(outcome.output, testing::IsEmpty());
  }
}

}  // namespace
}  // namespace modelvault::demo
