#include "tests/firmware_riscv/app/board_fixture.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "firmware_riscv/boot/device_state.h"

namespace modelvault {
namespace {

std::string Hex(const TestBytes& data) { return absl::StrFormat("%016x", XXH64(data.data(), data.size(), 0)); }

}  // namespace

SmallVault::SmallVault() : models(Encode(MakePlainModels(6), 4096, 1 << 20)), bytes(CodedVaultBytes(models)) {
  xxh64["base"] = Hex(models.base);
  for (const CodedVariant& v : models.variants) xxh64[v.name] = Hex(v.data);
}

const SmallVault& TheSmallVault() {
  static const SmallVault* const vault = new SmallVault();
  return *vault;
}

std::map<std::string, std::string> ReportLine(const std::string& output, const std::string& kind) {
  std::map<std::string, std::string> report;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(kind + " status=", 0) != 0) continue;
    report.clear();
    const size_t name = line.find(" name=");
    if (name != std::string::npos) report["name"] = line.substr(name + 6);
    std::istringstream words(line.substr(0, name));
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      if (equals != std::string::npos) report[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return report;
}

Board::Board(const std::string& vault, const std::string& firmware)
    : emulated_(firmware.empty() ? MODELVAULT_BOARD_IMAGE : firmware, vault) {
  emulated_.WriteVault(kSelectionOffset[0], std::string((2 + kStateSectors) * kSelectionSectorSize, '\xFF'));
}

BoardRun Board::Run(StrapCommand command, const std::string& input, uint64_t cut) {
  return RunWith(MakeStraps(command), input, cut);
}

BoardRun Board::Update(bool one_slot, uint64_t cut) { return RunWith(MakeUpdateStraps(one_slot, /*over_line=*/false), "", cut); }

BoardRun Board::RunWith(const std::string& straps, const std::string& input, uint64_t cut) {
  emulated_.WriteCode(kStrapOffset, trust_.has_value() ? WithTrust(straps, *trust_) : straps);
  return emulated_.Run(cut == 0 ? "" : absl::StrCat(",cut=", cut), input);
}

std::string Board::Boots() {
  const BoardRun run = Run(StrapCommand::kBootAndExit);
  const auto report = ReportLine(run.output, "boot");
  if (run.exit_code != 0 || report.count("source") == 0) {
    ADD_FAILURE() << "exit code " << run.exit_code << "\n" << run.output;
    return "nothing";
  }
  const std::string& name = report.at("name");
  EXPECT_EQ(report.at("status"), "ok") << run.output;
  EXPECT_EQ(report.at("xxh64"), TheSmallVault().xxh64.at(name)) << run.output;
  return absl::StrCat(report.at("source"), " ", name);
}

std::string Board::ReadSelection() const {
  return emulated_.ReadVault(kSelectionOffset[0], kFrontSize) + emulated_.ReadVault(kSelectionOffset[1], kFrontSize);
}

void Board::WriteSelection(const std::string& bytes) {
  for (size_t sector = 0; sector < 2; ++sector) {
    emulated_.WriteVault(kSelectionOffset[sector], bytes.substr(sector * kFrontSize, kFrontSize));
  }
}

void Board::FlipBit(uint64_t offset, unsigned bit) {
  std::string byte = emulated_.ReadVault(offset, 1);
  byte[0] = static_cast<char>(byte[0] ^ (1 << bit));
  emulated_.WriteVault(offset, byte);
}

}  // namespace modelvault
