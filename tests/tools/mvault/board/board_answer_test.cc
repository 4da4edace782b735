#include "tools/mvault/board/board_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kLine[] =
    "answer prompt=1,473 tokens=410,293,65535 scores=00baf0ec3412ea71 status=ok place=- number=0 offset=0 "
    "variables=1 loader=2 engine=4 cache=8 activations=16 parameters=32 list=64 ram_code=128 stack=256 name=a = b";

TEST(AnswerLineTest, IsFoundAmongOtherLines) {
  const absl::StatusOr<AnswerLine> line = ParseAnswerLine(absl::StrCat("answers\n", kLine, "\r\nbye\n"));
  ASSERT_THAT(line, IsOk());
  EXPECT_THAT(line->prompt_ids, ElementsAre(1, 473));
  EXPECT_THAT(line->ids, ElementsAre(410, 293, 65535));
  EXPECT_EQ(line->scores, "00baf0ec3412ea71");
  EXPECT_EQ(line->status, "ok");
  EXPECT_EQ(line->memory.list, 64u);
  EXPECT_EQ(line->memory.total(), 511u);
  EXPECT_EQ(line->name, "a = b");
}

TEST(AnswerLineTest, AnAnswerMayBeEmptyAndSayMore) {
  const absl::StatusOr<AnswerLine> line = ParseAnswerLine(absl::StrReplaceAll(
      kLine, {{"1,473", ""},
              {"410,293,65535", ""},
              {"=ok place=- number=0 offset=0", "=checksum place=base_chunk number=7 offset=99 new=1"}}));
  ASSERT_THAT(line, IsOk());
  EXPECT_THAT(line->prompt_ids, IsEmpty());
  EXPECT_THAT(line->ids, IsEmpty());
  EXPECT_EQ(line->place, "base_chunk");
  EXPECT_EQ(line->number, 7u);
  EXPECT_EQ(line->offset, 99u);
}

TEST(AnswerLineTest, MissingAndOddFieldsAreRefused) {
  EXPECT_THAT(ParseAnswerLine("trap\n"), StatusIs(absl::StatusCode::kNotFound));
  for (const char* field : {"prompt=1,473 ", "tokens=410,293,65535 ", "scores=00baf0ec3412ea71 ", "status=ok ",
                            "place=- ", "number=0 ", "offset=0 ", "list=64 ", "stack=256 ", "name=a = b"}) {
    EXPECT_THAT(ParseAnswerLine(absl::StrReplaceAll(kLine, {{field, ""}})), StatusIs(absl::StatusCode::kInternal))
        << field;
  }
  EXPECT_THAT(ParseAnswerLine(absl::StrReplaceAll(kLine, {{"65535", "65536"}})), StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(ParseAnswerLine(absl::StrReplaceAll(kLine, {{"list=64", "list=x"}})),
              StatusIs(absl::StatusCode::kInternal));
}

BoardAnswer Answered() {
  BoardAnswer answer;
  answer.line = *ParseAnswerLine(kLine);
  answer.host_ids = answer.line.ids;
  answer.host_scores = answer.line.scores;
  const auto phase = [&](Phase number, uint64_t executing, uint64_t begun) {
    PhaseCounts& counts = answer.phases[static_cast<int>(number)];
    counts.counts.executing = executing - 100;
    counts.counts.data_wait = 90;
    counts.counts.fetch_wait = 10;
    counts.begun = begun;
  };
  phase(Phase::kOther, 1000, 1);
  phase(Phase::kOpen, 2000, 1);
  phase(Phase::kLoad, 40000, 1);
  phase(Phase::kPrefill, 80000, 1);
  phase(Phase::kToken, 50000, 2);
  phase(Phase::kConsole, 999000, 5);
  return answer;
}

TEST(BoardAnswerTest, TimesAreThoseOfTheirPhases) {
  const Json json = AnswerToJson(Answered(), {.mhz = 10, .flash_mbps = 38}, false);
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["error"], nullptr);
  EXPECT_DOUBLE_EQ(json["start_ms"], 0.1);
  EXPECT_DOUBLE_EQ(json["load_ms"], 4.0);
  EXPECT_DOUBLE_EQ(json["first_token_ms"], 12.3);
  EXPECT_DOUBLE_EQ(json["cycles_per_token"], 25000);
  EXPECT_DOUBLE_EQ(json["tokens_per_second"], 400);
  EXPECT_EQ(json["ram"]["cache"], 8);
  EXPECT_EQ(json["ram_bytes"], 511);
  EXPECT_THAT(FormatAnswer(Answered(), {.mhz = 10, .flash_mbps = 38}, false),
              AllOf(HasSubstr("3 tokens after a prompt of 2, as on the host"),
                    HasSubstr("12.30 ms from reset: start 0.10, open 0.20, load 4.00, prompt 8.00"),
                    HasSubstr("400.0 a second: 25,000 cycles, 2.50 ms each"), HasSubstr("511 bytes: variables 1, ")));
}

TEST(BoardAnswerTest, WithoutCountsThereAreNoTimes) {
  BoardAnswer answer = Answered();
  answer.phases.clear();
  answer.uncounted = "why";
  const Json json = AnswerToJson(answer, {}, false);
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["tokens_per_second"], nullptr);
  EXPECT_EQ(json["uncounted"], "why");
  EXPECT_THAT(FormatAnswer(answer, {}, false), HasSubstr("cycles were not counted: why"));
}

TEST(BoardAnswerTest, WhatDiffersFromTheHostIsNoSuccess) {
  EXPECT_EQ(AnswerFailure(Answered()), "");
  BoardAnswer answer = Answered();
  answer.host_ids[1] = 294;
  EXPECT_FALSE(answer.ok());
  answer = Answered();
  answer.host_scores[3] = '1';
  EXPECT_THAT(AnswerFailure(answer),
              HasSubstr("the board answered 3 tokens with scores 00baf0ec3412ea71, the host 3 with 00b1f0ec"));
  answer = Answered();
  answer.line.status = "checksum";
  answer.line.place = "base_chunk";
  answer.line.number = 7;
  answer.line.offset = 99;
  EXPECT_EQ(AnswerFailure(answer), "'a = b' on the board: checksum, base_chunk 7 at offset 99, after 3 tokens");
  answer = Answered();
  answer.exit_code = 1;
  EXPECT_FALSE(answer.ok());
  answer = Answered();
  answer.host_error = "damaged";
  EXPECT_EQ(AnswerFailure(answer), "damaged");
}

}  // namespace
}  // namespace modelvault
