#include "tests/tools/mvault/format_round_trip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/tools/mvault/program_run.h"

namespace modelvault {

size_t ExpectRoundTrip(const ModelFiles& models, const std::string& extension, const std::string& tensor,
                       const std::vector<std::string>& options) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.File("variants"));
  std::string first;
  for (const auto& [name, bytes] : models) {
    folder.Write(name == "base" ? name + extension : "variants/" + name + extension, bytes);
    if (name != "base" && first.empty()) first = name;
  }
  const std::string vault = folder.File("v.mvlt");
  std::vector<std::string> pack = {
      "pack", "--base", folder.File("base" + extension), "--variants", folder.File("variants"), "-o", vault};
  pack.insert(pack.end(), options.begin(), options.end());
  const ProgramRun packed = Mvault(pack);
  EXPECT_EQ(packed.exit_code, 0) << packed;
  if (packed.exit_code != 0) return 0;

  const ProgramRun verified = Mvault({"verify", vault});
  EXPECT_EQ(verified.exit_code, 0) << verified;
  for (const auto& [name, bytes] : models) {
    const std::string out = "restored" + extension;
    const ProgramRun restored = Mvault({"restore", vault, name == "base" ? "--base" : name, "-o", folder.File(out)});
    EXPECT_EQ(restored.exit_code, 0) << restored;
    EXPECT_TRUE(folder.Read(out) == bytes) << name;
    std::filesystem::remove(folder.File(out));
  }
  const ProgramRun listed = Mvault({"ls", vault});
  EXPECT_EQ(listed.exit_code, 0) << listed;
  EXPECT_THAT(listed.out, testing::HasSubstr(first));
  const ProgramRun told = Mvault({"info", vault});
  EXPECT_EQ(told.exit_code, 0) << told;
  EXPECT_THAT(told.out, testing::HasSubstr(tensor));
  const ProgramRun different = Mvault({"diff", vault, "base", first});
  EXPECT_EQ(different.exit_code, 1) << different;
  return folder.Read("v.mvlt").size();
}

}  // namespace modelvault
