#include "tools/mvault/board/board_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/status_matchers.h"
#include "tests/tools/mvault/board/fake_board.h"
#include "tools/mvault/board/board_report.h"

namespace modelvault {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;

TEST(WaitStatesTest, AWordTakesWhatTheFlashTakes) {
  EXPECT_EQ(WaitStates(120, 38), 12u);  // 12.6 cycles a word, one of them the instruction's.
  EXPECT_EQ(WaitStates(240, 38), 24u);
  EXPECT_EQ(WaitStates(100, 100), 3u);
  EXPECT_EQ(WaitStates(120, 480), 0u);
  EXPECT_EQ(WaitStates(120, 10000), 0u);
  EXPECT_EQ(WaitStates(10000, 0.1), kMaxWaitStates);
}

constexpr char kLine[] =
    "measure status=ok bytes=276192 xxh64=52ba1380be4390c3 expected=52ba1380be4390c3 tile=4096 static_ram=21536 "
    "ram_code=22424 stack=6468 name=baby birth = two";

TEST(BoardLineTest, IsFoundAmongOtherLines) {
  for (const char* end : {"\n", "\r\n", ""}) {
    const absl::StatusOr<BoardLine> line = ParseBoardLine(std::string("boot\nmeasured nothing\n") + kLine + end);
    ASSERT_THAT(line, IsOk());
    EXPECT_EQ(line->status, "ok");
    EXPECT_EQ(line->bytes, 276192u);
    EXPECT_EQ(line->xxh64, "52ba1380be4390c3");
    EXPECT_EQ(line->expected, "52ba1380be4390c3");
    EXPECT_EQ(line->tile_size, 4096u);
    EXPECT_EQ(line->static_ram, 21536u);
    EXPECT_EQ(line->ram_code, 22424u);
    EXPECT_EQ(line->stack, 6468u);
    EXPECT_EQ(line->name, "baby birth = two");
  }
}

TEST(BoardLineTest, FieldsOfLaterFirmwareArePassedOver) {
  EXPECT_THAT(ParseBoardLine(absl::StrReplaceAll(kLine, {{" name=", " more=1 name="}})), IsOk());
}

TEST(BoardLineTest, NoLineIsNotFound) {
  EXPECT_THAT(ParseBoardLine(""), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ParseBoardLine("trap cause=5\n a measure status=ok\n"), StatusIs(absl::StatusCode::kNotFound));
}

TEST(BoardLineTest, MissingAndOddFieldsAreRefused) {
  for (const char* field : {"status=ok ", "bytes=276192 ", "xxh64=52ba1380be4390c3 ", "expected=52ba1380be4390c3 ",
                            "tile=4096 ", "static_ram=21536 ", "ram_code=22424 ", "stack=6468 "}) {
    EXPECT_THAT(ParseBoardLine(absl::StrReplaceAll(kLine, {{field, ""}})), StatusIs(absl::StatusCode::kInternal))
        << field;
  }
  for (const char* number : {"276192", "4096", "21536", "22424", "6468"}) {
    EXPECT_THAT(ParseBoardLine(absl::StrReplaceAll(kLine, {{number, "x"}})), StatusIs(absl::StatusCode::kInternal))
        << number;
  }
  EXPECT_THAT(ParseBoardLine("measure status=ok"), StatusIs(absl::StatusCode::kInternal));
}

TEST(CountsTest, WhatIsNoReportIsRefused) {
  for (const char* text : {"", "[]", "{}", "{\"phases\": [{}]}", "{\"phases\": 7}"}) {
    EXPECT_THAT(ParseCounts(text), StatusIs(absl::StatusCode::kInternal)) << text;
  }
  EXPECT_THAT(ParseCounts(absl::StrReplaceAll(kFakeCounts, {{"\"executing\": 4000, ", ""}})),
              StatusIs(absl::StatusCode::kInternal));
}

TEST(TimesTest, AddUpFromThePhases) {
  const absl::StatusOr<BoardPhases> phases = ParseCounts(kFakeCounts);
  ASSERT_THAT(phases, IsOk());
  const BoardTimes times = TimesAt(*phases, 10);  // 10,000 cycles a millisecond.
  const auto near = [](double ms) { return DoubleNear(ms, 1e-9); };
  EXPECT_THAT(times.open, near(0.15));
  EXPECT_THAT(times.verify, near(2.92));  // 25,100 + 4,000 + 100.
  EXPECT_THAT(times.use, near(2.93));
  EXPECT_THAT(times.total, near(6.00));
  EXPECT_THAT(times.one_pass, near(3.07));
  EXPECT_THAT(times.decode, near(4.01));  // 20,000 + 20,100.
  EXPECT_THAT(times.hash, near(0.80));
  EXPECT_THAT(times.other, near(0.112));       // 1,000 + 60 + 60.
  EXPECT_THAT(times.flash_wait, near(1.078));  // 500 + 5,140 + 5,140.
  // In each pass the 5,000 cycles of reading hide behind 24,060 of computing; 140 of fetching instructions stay.
  EXPECT_THAT(times.modelled_one_pass, near(0.15 + 2.42));
  EXPECT_THAT(times.modelled_total, near(0.15 + 2.42 + 2.43));
}

TEST(TimesTest, FlashSlowerThanComputingIsNotHidden) {
  const absl::StatusOr<BoardPhases> phases =
      ParseCounts(absl::StrReplaceAll(kFakeCounts, {{"\"data_wait\": 5000", "\"data_wait\": 50000"}}));
  ASSERT_THAT(phases, IsOk());
  EXPECT_THAT(TimesAt(*phases, 10).modelled_one_pass, DoubleNear(0.15 + 5.0 + 0.014, 1e-9));
}

BoardResult ResultWithDecode(const std::string& name, uint64_t cycles) {
  BoardResult result;
  result.name = name;
  result.phases[static_cast<int>(Phase::kVerifyDecode)].counts.executing = cycles;
  return result;
}

TEST(SummaryTest, IsOverTheVariants) {
  std::vector<BoardResult> results = {ResultWithDecode("base", 1), ResultWithDecode("a", 30000),
                                      ResultWithDecode("b", 10000), ResultWithDecode("c", 20000)};
  BoardSummary summary = Summarize(results, 10);
  EXPECT_EQ(summary.models, 3u);
  EXPECT_DOUBLE_EQ(summary.median.total, 2);
  EXPECT_DOUBLE_EQ(summary.worst.total, 3);
  EXPECT_DOUBLE_EQ(summary.worst.one_pass, 3);
  EXPECT_EQ(summary.worst_name, "a");
  results.push_back(ResultWithDecode("d", 40000));
  summary = Summarize(results, 10);
  EXPECT_DOUBLE_EQ(summary.median.total, 2.5);
  EXPECT_EQ(summary.worst_name, "d");
  summary = Summarize({ResultWithDecode("base", 10000)}, 10);
  EXPECT_EQ(summary.models, 1u);
  EXPECT_DOUBLE_EQ(summary.median.total, 1);
}

TEST(FailureTest, NamesWhoIsWrong) {
  BoardResult result;
  result.name = "legal";
  result.line.status = "digest-mismatch";
  result.line.xxh64 = "1111111111111111";
  result.host_xxh64 = "2222222222222222";
  EXPECT_THAT(BoardFailure(result), HasSubstr("digest-mismatch"));
  result.board_ok = true;
  EXPECT_THAT(BoardFailure(result), HasSubstr("the host 2222222222222222"));
  result.host_xxh64 = "1111111111111111";
  EXPECT_EQ(BoardFailure(result), "");
  result.host_xxh64.clear();
  result.host_error = "all.mvlt: damaged";
  EXPECT_THAT(BoardFailure(result), HasSubstr("damaged"));
}

}  // namespace
}  // namespace modelvault
