#include "tests/firmware_riscv/sim/emulated_board.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "tools/mvault/board/board_machine.h"

namespace modelvault {
namespace {

void WriteAt(const std::string& path, uint64_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file.good()) << path;
}

}  // namespace

EmulatedBoard::EmulatedBoard(const std::string& code_path, const std::string& vault) {
  std::filesystem::copy_file(code_path, folder_.File("code.img"));
  folder_.Write("vault.img", vault);
  for (const char* bank : {"code.img", "vault.img"}) std::filesystem::resize_file(folder_.File(bank), kFlashBankSize);
}

BoardRun EmulatedBoard::Run(const std::string& plugin_arguments, const std::string& input) {
  const std::string counts = folder_.File("counts.json");
  std::filesystem::remove(counts);
  // Instructions are what is measured: the time limit only ends a program that hangs.
  std::string command = std::string("timeout 120 ") + MODELVAULT_QEMU;
  for (const std::string& argument :
       EmulatorArguments({folder_.File("code.img"), folder_.File("vault.img")},
                         std::string(MODELVAULT_CYCLE_PLUGIN) + ",out=" + counts + plugin_arguments)) {
    command += " '" + argument + "'";
  }
  command += " <'" + folder_.Write("input", input) + "' 2>&1";
  BoardRun run;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return run;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) run.output.append(buffer, n);
  const int status = pclose(pipe);
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::ifstream report(counts);
  if (report) run.counts = nlohmann::json::parse(report, nullptr, /*allow_exceptions=*/false);
  return run;
}

std::string EmulatedBoard::ReadVault(uint64_t offset, size_t size) const {
  std::ifstream file(folder_.File("vault.img"), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  std::string bytes(size, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  EXPECT_TRUE(file.good());
  return bytes;
}

void EmulatedBoard::WriteVault(uint64_t offset, const std::string& bytes) {
  WriteAt(folder_.File("vault.img"), offset, bytes);
}

void EmulatedBoard::WriteCode(uint64_t offset, const std::string& bytes) {
  WriteAt(folder_.File("code.img"), offset, bytes);
}

}  // namespace modelvault
