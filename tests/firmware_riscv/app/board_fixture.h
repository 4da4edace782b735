#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_APP_BOARD_FIXTURE_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_APP_BOARD_FIXTURE_H_

// The real firmware on the emulated board, with a small vault and the boot selection's sectors at hand.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "firmware_riscv/app/straps.h"
#include "tests/firmware_riscv/sim/emulated_board.h"
#include "tests/restore/coded_models.h"
#include "tools/mvault/board/board_machine.h"

namespace modelvault {

// Where the boot selection lies in the vault's bank.
inline constexpr uint64_t kSelectionSectorSize = 0x40000;
inline constexpr uint64_t kSelectionOffset[2] = {0x100000, 0x140000};

// A small vault; its variants are those of MakePlainModels().
struct SmallVault {
  SmallVault();

  CodedModels models;
  std::string bytes;
  std::map<std::string, std::string> xxh64;  // Of each model's data, 16 hexadecimal digits; the base is "base".
};
const SmallVault& TheSmallVault();

// What a line of the form "KIND key=value …" says, the last one of that kind in `output`; "name" takes all that follows
// it. Empty if there is none.
std::map<std::string, std::string> ReportLine(const std::string& output, const std::string& kind);

class Board {
 public:
  // Its selection sectors are erased. `firmware` is an image; empty: the firmware's.
  explicit Board(const std::string& vault, const std::string& firmware = "");

  // Whom the board trusts from now on; it takes every vault before.
  void Trust(const TrustStraps& trust) { trust_ = trust; }

  // `cut` as the plugin's; 0: none.
  BoardRun Run(StrapCommand command, const std::string& input = "", uint64_t cut = 0);
  // The same for kUpdate.
  BoardRun Update(bool one_slot = false, uint64_t cut = 0);
  // The report of a boot that must succeed with a model that is what was packed: its source and name.
  std::string Boots();

  // The front of both sectors, which is all of them that is not erased.
  std::string ReadSelection() const;
  void WriteSelection(const std::string& bytes);
  void FlipBit(uint64_t offset, unsigned bit = 0);

  EmulatedBoard& emulated() { return emulated_; }

  static constexpr size_t kFrontSize = 512;

 private:
  BoardRun RunWith(const std::string& straps, const std::string& input, uint64_t cut);

  EmulatedBoard emulated_;
  std::optional<TrustStraps> trust_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_APP_BOARD_FIXTURE_H_
