// mvault-mpi under mpirun: the same bytes as mvault, its errors and exit codes, and ranks that are killed.
#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string ReadProc(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

class MpiProgramTest : public testing::Test {
 protected:
  MpiProgramTest() {
    // A container's root, more ranks than cores, and a kernel that lets no process read another's memory.
    for (const auto& [name, value] : {std::pair{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                                      {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                                      {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
                                      {"OMPI_MCA_hwloc_base_binding_policy", "none"},
                                      {"OMPI_MCA_btl", "self,vader"},
                                      {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
                                      {"OMPI_MCA_plm_rsh_agent", ""}}) {
      setenv(name, value, 1);
    }
  }

  // A base and four variants; `rows` of a matrix that is slow to code make them large.
  void PutModels(uint64_t rows) {
    std::filesystem::create_directory(folder_.File("models"));
    TestRandom random(11);
    FileModel base;
    base.tensors = {MakeTensor("w", "I8", {rows, 1024}, &random), MakeTensor("n", "F32", {300}, &random)};
    folder_.Write("base.safetensors", Serialize(base));
    for (int v = 0; v < 4; ++v) {
      folder_.Write(absl::StrCat("models/v", v, ".safetensors"), Serialize(Ternary(base, v == 0 ? 1 : 9, &random)));
    }
  }
  std::string PackCommand(const std::string& program, const std::string& output, const std::string& more = "") const {
    return absl::StrCat(program, " pack --base ", folder_.File("base.safetensors"), " --variants ",
                        folder_.File("models"), " --segment-size 64KiB -o ", folder_.File(output), more);
  }
  std::string Mpirun(int ranks) const { return absl::StrCat(MODELVAULT_MPIRUN, " -n ", ranks, " ", MODELVAULT_MPI); }

  // Its exit code; out_ and err_ have what it printed.
  int Run(const std::string& command) {
    const int status = system(absl::StrCat(command, " >", Log("out"), " 2>", Log("err"), " </dev/null").c_str());
    out_ = folder_.Read("out");
    err_ = folder_.Read("err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Log(const std::string& name) const { return folder_.File(name); }

  // The process that is this rank of a run in this folder; 0 if there is none.
  pid_t FindRank(int rank) const {
    pid_t found = 0;
    DIR* const processes = opendir("/proc");
    while (const dirent* entry = readdir(processes)) {
      const std::string proc = absl::StrCat("/proc/", entry->d_name);
      if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
      const std::string command = ReadProc(proc + "/cmdline");
      if (!absl::StartsWith(command, MODELVAULT_MPI) || !absl::StrContains(command, folder_.path())) continue;
      const std::string environment = absl::StrCat(std::string(1, '\0'), ReadProc(proc + "/environ"));
      const std::string name = absl::StrCat(std::string(1, '\0'), "OMPI_COMM_WORLD_RANK=", rank, std::string(1, '\0'));
      if (absl::StrContains(environment, name)) found = static_cast<pid_t>(atoi(entry->d_name));
    }
    closedir(processes);
    return found;
  }
  std::vector<std::string> TemporaryFiles() const {
    std::vector<std::string> names;
    for (const std::string& name : folder_.Names()) {
      if (absl::StartsWith(name, ".v.mvlt.")) names.push_back(name);
    }
    return names;
  }

  TempFolder folder_;
  std::string out_;
  std::string err_;
};

TEST_F(MpiProgramTest, TheVaultHasTheSameBytesInAnyNumberOfRanks) {
  PutModels(200);
  ASSERT_EQ(Run(PackCommand(MODELVAULT_PROGRAM, "v.mvlt", " --json")), 0) << err_;
  const std::string alone = folder_.Read("v.mvlt");
  const std::string said = out_;
  for (const int ranks : {1, 2, 3, 4}) {
    SCOPED_TRACE(absl::StrCat(ranks, " ranks"));
    std::filesystem::remove(folder_.File("v.mvlt"));
    const std::string more = ranks == 3 ? " --json --threads 2" : " --json";
    ASSERT_EQ(Run(PackCommand(Mpirun(ranks), "v.mvlt", more)), 0) << err_;
    EXPECT_TRUE(folder_.Read("v.mvlt") == alone);
    EXPECT_EQ(out_, said) << "rank 0 alone prints";
    EXPECT_EQ(err_, "");
  }
}

TEST_F(MpiProgramTest, AnErrorIsToldOnceAndIsTheExitCode) {
  PutModels(20);
  folder_.Write("v.mvlt", "old");
  EXPECT_EQ(Run(PackCommand(Mpirun(3), "v.mvlt", " --budget 100")), 4);
  EXPECT_THAT(err_, HasSubstr("mvault: error: "));
  EXPECT_EQ(err_.find("over budget"), err_.rfind("over budget"));
  std::filesystem::remove(folder_.File("models/v2.safetensors"));
  folder_.Write("models/v2.safetensors", "no model");
  EXPECT_EQ(Run(PackCommand(Mpirun(2), "v.mvlt")), 3);
  EXPECT_THAT(err_, HasSubstr("v2.safetensors"));
  EXPECT_EQ(folder_.Read("v.mvlt"), "old");
  EXPECT_THAT(TemporaryFiles(), IsEmpty());
}

TEST_F(MpiProgramTest, ARankThatIsKilledEndsTheRunAndTheNextOneGoesOn) {
  PutModels(3000);
  folder_.Write("v.mvlt", "old");
  const std::string command = PackCommand(Mpirun(3), "v.mvlt", " --work " + folder_.File("work") + " --json");
  int status = 0;
  std::thread run([&] { status = system(absl::StrCat(command, " >", Log("killed"), " 2>&1 </dev/null").c_str()); });
  // Some pieces are done, and most are not.
  const auto pieces = [&] {
    size_t count = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.File("work"), none)) {
      if (entry.path().extension() == ".packed") ++count;
    }
    return count;
  };
  while (pieces() < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const pid_t rank = FindRank(1);
  ASSERT_NE(rank, 0);
  kill(rank, SIGKILL);
  run.join();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_NE(WEXITSTATUS(status), 0) << folder_.Read("killed");
  EXPECT_EQ(folder_.Read("v.mvlt"), "old");
  EXPECT_EQ(FindRank(0), 0) << "no rank lives on";
  EXPECT_EQ(FindRank(2), 0);

  ASSERT_EQ(Run(command), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("\"found\": "), Not(HasSubstr("\"found\": 0,")))) << out_;
  const std::string vault = folder_.Read("v.mvlt");
  ASSERT_EQ(Run(PackCommand(MODELVAULT_PROGRAM, "alone.mvlt")), 0) << err_;
  EXPECT_TRUE(vault == folder_.Read("alone.mvlt"));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("work")));
}

}  // namespace
}  // namespace modelvault
