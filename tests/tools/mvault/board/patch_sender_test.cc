// Both ends of the line that a patch comes over.
#include "tools/mvault/board/patch_sender.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/split_mix_64.h"
#include "firmware_riscv/update/patch_line.h"
#include "tests/firmware_riscv/update/nor_chip.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {
namespace {

constexpr uint32_t kSector = 4 * kStagePlace;
constexpr uint32_t kSize = 4 * kSector;

std::string Patch(uint64_t seed) {
  SplitMix64 random(seed);
  std::string vault(4000, '\0');
  for (char& c : vault) c = static_cast<char>(random.Next());
  return BuildPatch("old", vault, 4096)->bytes;
}

// The line between a board and a sender: what is sent may be changed on the way.
struct Wire {
  PatchSender sender;
  std::function<std::string(std::string)> on_the_way = [](std::string sent) { return sent; };
  std::string bytes = {};
  size_t at = 0;
  std::vector<uint32_t> asked = {};

  PatchLine Line() {
    return {[](void* self) {
              Wire* const wire = static_cast<Wire*>(self);
              // A sender that hears nothing for a while sends again.
              while (wire->at == wire->bytes.size()) wire->Ask(wire->asked.back());
              return static_cast<uint8_t>(wire->bytes[wire->at++]);
            },
            [](void* self, uint32_t index) {
              static_cast<Wire*>(self)->asked.push_back(index);
              static_cast<Wire*>(self)->Ask(index);
            },
            this};
  }
  void Ask(uint32_t index) { bytes += on_the_way(sender.Answer(absl::StrCat("frame ", index))); }
};

class PatchSenderTest : public testing::Test {
 protected:
  mv_error Receive(Wire* wire, uint64_t wanted = 0) {
    EXPECT_EQ(stage_.Open(false), MV_OK);
    uint8_t buffer[kLineFrameRoom];
    return ReceivePatch(wire->Line(), wanted, {buffer, sizeof(buffer)}, &stage_);
  }
  std::string Staged() {
    std::string bytes(patch_.size(), '\0');
    const PatchSource source = stage_.Source();
    EXPECT_EQ(
        source.read(source.context, 0, reinterpret_cast<uint8_t*>(bytes.data()), static_cast<uint32_t>(bytes.size())),
        MV_OK);
    return bytes;
  }

  const std::string patch_ = Patch(1);  // Five frames.
  NorChip chip_{kSize, kSector};
  const mv_region region_ = chip_.Region(0, kSize);
  PatchStage stage_{&region_};
};

TEST_F(PatchSenderTest, EachFrameIsAskedForOnce) {
  Wire wire = {PatchSender(patch_)};
  ASSERT_EQ(Receive(&wire), MV_OK);
  EXPECT_EQ(wire.asked, (std::vector<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(wire.sender.frames_sent(), 5u);
  EXPECT_EQ(Staged(), patch_);
  // It is all there.
  Wire again = {PatchSender(patch_)};
  ASSERT_EQ(Receive(&again), MV_OK);
  EXPECT_EQ(again.asked, std::vector<uint32_t>{0});
}

TEST_F(PatchSenderTest, ATransferThatWasCutOffGoesOnWhereItWas) {
  Wire wire = {PatchSender(patch_)};
  chip_.CutAfter(90, ChipCut::kInside);  // In the third frame.
  EXPECT_THROW(static_cast<void>(Receive(&wire)), PowerIsCut);
  chip_.PowerUp(Mood::kNew, 1);
  Wire rest = {PatchSender(patch_)};
  ASSERT_EQ(Receive(&rest), MV_OK);
  EXPECT_EQ(rest.asked, (std::vector<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(Staged(), patch_);
}

TEST_F(PatchSenderTest, WhatIsDamagedOrLostOnTheWayComesAgain) {
  Wire wire = {PatchSender(patch_)};
  SplitMix64 random(3);
  int round = 0;
  wire.on_the_way = [&](std::string bytes) {
    if (bytes.empty()) return bytes;
    switch (round++ % 4) {
      case 0:
        bytes[random.Below(bytes.size())] ^= 4;
        return bytes;
      case 1:
        return bytes.substr(random.Below(30));  // Some of it was lost.
      case 2:
        return "noise" + bytes;
      default:
        return bytes;
    }
  };
  ASSERT_EQ(Receive(&wire), MV_OK);
  EXPECT_GT(wire.sender.frames_sent(), 5u);
  EXPECT_EQ(Staged(), patch_);
}

TEST_F(PatchSenderTest, ALineThatGivesNoFramesIsGivenUp) {
  Wire wire = {PatchSender(patch_)};
  wire.on_the_way = [](std::string bytes) {
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    return bytes;
  };
  EXPECT_EQ(Receive(&wire), MV_READ_FAILED);
  EXPECT_EQ(wire.asked.size(), kMostBadFrames);
  Wire other = {PatchSender(Patch(2))};
  EXPECT_EQ(Receive(&other, 7), MV_OTHER_VAULT);
  EXPECT_EQ(chip_.operations(), 0);
  uint8_t small[100];
  EXPECT_EQ(ReceivePatch(other.Line(), 0, {small, sizeof(small)}, &stage_), MV_WORKSPACE_TOO_SMALL);
}

TEST_F(PatchSenderTest, OnlyLinesThatAskAreAnswered) {
  PatchSender sender(patch_);
  for (const char* line : {"", "frame", "frame ", "frame x", "frame -1", "frame 5", "frame 99999999999", "frame all",
                           "vault: a base", " frame 1"}) {
    EXPECT_EQ(sender.Answer(line), "") << line;
  }
  EXPECT_EQ(sender.frames_sent(), 0u);
  EXPECT_EQ(sender.Answer("frame 4").size(), kLineHeadSize + patch_.size() % kStageFrame + kLineChecksumSize);
}

}  // namespace
}  // namespace modelvault
