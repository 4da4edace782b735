#include "tests/tools/mvault/talking_vaults.h"

#include <gtest/gtest.h>

#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

std::string Pack(std::vector<std::string> arguments, const std::vector<std::string>& more, const std::string& vault) {
  arguments.insert(arguments.begin(), "pack");
  arguments.insert(arguments.end(), {"-o", vault});
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramRun run = Mvault(arguments);
  EXPECT_EQ(run.exit_code, 0) << run;
  return vault;
}

}  // namespace

std::string WriteVocabulary(const TempFolder& folder, const std::string& name, int letters) {
  std::string bytes("\1\0\0\0", 4);
  for (int i = 0; i < 3; ++i) bytes += std::string("\0\0\0\0\0\0\0\0", 8);
  for (int i = 0; i < letters; ++i) bytes += std::string("\0\0\0\0\1\0\0\0", 8) + static_cast<char>('a' + i);
  return folder.Write(name, bytes);
}

std::string PackLanguage(const EvalFiles& files, const std::vector<std::string>& more) {
  return Pack({"--base", files.File("int8/base.safetensors"), "--variants", files.File("int8/variants"), "--model",
               files.File("corpus.json"), "--tokenizer", WriteVocabulary(files.folder(), "tok.bin", 26)},
              more, files.File("talks.mvlt"));
}

std::string PackClassifier(const TempFolder& folder) {
  folder.Write("classes.json", R"({"config": {"architecture": "mlp", "layers": ["output"]}})");
  const auto write = [&](const std::string& name, const std::vector<float>& weights) {
    return folder.Write(name, Int8File({{"output", {{2, 3}, weights}}}));
  };
  const std::string base = write("classes.safetensors", {1, 1, 0, 0, 0, 1});
  const std::string ward = write("ward.safetensors", {0, 0, 1, 1, 1, 0});
  return Pack({"--base", base, "--variant", "ward=" + ward, "--model", folder.File("classes.json")}, {},
              folder.File("tells.mvlt"));
}

}  // namespace modelvault
