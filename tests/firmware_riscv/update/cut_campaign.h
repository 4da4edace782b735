// What campaigns of power cuts have in common: a board that goes on until a chapter of its life ends, or until its
// power goes, and what that did.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_CUT_CAMPAIGN_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_CUT_CAMPAIGN_H_

#include <array>
#include <string>

#include "tests/firmware_riscv/update/nor_chip.h"

namespace modelvault {

// Board: chip(), and Cycle(chapter, &harm), a start and what comes of it; true: the chapter has ended. Harm: cuts,
// stuck, first, and total() of all that must never happen.
template <typename Board, typename Chapter, typename Harm>
class CutCampaign {
 protected:
  // Goes on until the chapter ends.
  bool Finish(Board* board, const Chapter& chapter) {
    const int harm = harm_.total();
    for (int i = 0; i < kMostCycles && harm_.total() == harm; ++i) {
      if (board->Cycle(chapter, &harm_)) return true;
    }
    if (harm_.total() == harm) ++harm_.stuck;
    Note();
    return false;
  }

  // Where the first harm was seen, once there is any.
  void Note() {
    if (!harm_.first.empty() || harm_.total() == 0) return;
    harm_.first = "; first in chapter, cut, kind, mood, cut, kind, mood";
    for (const int part : where_) harm_.first += " " + std::to_string(part);
  }

  // Until the power goes. False: the chapter ended before.
  bool RunToCut(Board* board, const Chapter& chapter, int n, ChipCut kind) {
    board->chip().CutAfter(n, kind);
    ++harm_.cuts;
    try {
      Finish(board, chapter);
    } catch (const PowerIsCut&) {
      return true;
    }
    return false;
  }

  Harm harm_;
  std::array<int, 7> where_ = {};

 private:
  static constexpr int kMostCycles = 40;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_CUT_CAMPAIGN_H_
