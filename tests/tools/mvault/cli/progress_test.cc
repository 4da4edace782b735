#include "tools/mvault/cli/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace modelvault {
namespace {

// What `use` writes to a terminal.
template <typename Use>
std::string OnTerminal(const Use& use, std::function<double()> seconds = nullptr) {
  int terminal = -1;
  int program = -1;
  termios mode = {};
  cfmakeraw(&mode);
  EXPECT_EQ(openpty(&terminal, &program, nullptr, &mode, nullptr), 0);
  EXPECT_EQ(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
  FILE* const stream = fdopen(program, "w");
  {
    Progress progress(stream, std::move(seconds));
    use(&progress);
  }
  fflush(stream);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(terminal, buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
  fclose(stream);
  close(terminal);
  return text;
}

TEST(ProgressTest, ShowsOneLineAndErasesIt) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              progress->Update("verify", 1, 4);
              progress->Update("verify", 4, 4);
            }),
            "\r\x1b[Kverify 25 %\r\x1b[Kverify 100 %\r\x1b[K");
}

TEST(ProgressTest, WritesOnlyWhenThePercentageChanges) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              for (uint64_t i = 0; i < 10'000; ++i) progress->Update("pack", 5'000'000 + i, 1'000'000'000);
            }),
            "\r\x1b[Kpack 0 %\r\x1b[K");
}

TEST(ProgressTest, OfWorkThatTakesLongTellsRateAndTimeLeft) {
  double now = 0;
  const auto clock = [&now] { return now; };
  constexpr uint64_t kBytes = 1'000'000'000;
  EXPECT_EQ(OnTerminal(
                [&](Progress* progress) {
                  progress->Update("encode", 0, kBytes);
                  now = 1.5;  // Too early to tell.
                  progress->Update("encode", 15'000'000, kBytes);
                  now = 10;
                  progress->Update("encode", 100'000'000, kBytes);
                  now = 10.5;
                  progress->Update("encode", 105'000'000, kBytes);
                  now = 20;
                  progress->Update("encode", 105'000'000, kBytes);
                  progress->Update("encode", kBytes, kBytes);
                },
                clock),
            "\r\x1b[Kencode 0 %\r\x1b[Kencode 1 %\r\x1b[Kencode 10 %, 10.0 MB/s, 1:30 left"
            "\r\x1b[Kencode 10 %, 5.2 MB/s, 2:50 left\r\x1b[Kencode 100 %\r\x1b[K");
}

TEST(ProgressTest, OfStepsTellsTheTimeLeftAlone) {
  double now = 0;
  const auto clock = [&now] { return now; };
  EXPECT_EQ(OnTerminal(
                [&](Progress* progress) {
                  progress->Update("fit", 1, 101);
                  now = 72;
                  progress->Update("fit", 2, 101);
                  progress->Update("account", 1, 2);  // Another stage begins anew.
                },
                clock),
            "\r\x1b[Kfit 0 %\r\x1b[Kfit 1 %, 1:58:48 left\r\x1b[Kaccount 50 %\r\x1b[K");
}

TEST(ProgressTest, SurvivesOddNumbers) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              progress->Update("pack", 0, 0);
              progress->Update("pack", 9, 4);
              progress->Update("pack", UINT64_MAX, UINT64_MAX);
            }),
            "\r\x1b[Kpack 100 %\r\x1b[K");
}

TEST(ProgressTest, ClearedTwiceOrUnusedWritesNothing) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              progress->Clear();
              progress->Clear();
            }),
            "");
}

TEST(ProgressTest, IsSilentWhereThereIsNoTerminal) {
  FILE* const file = tmpfile();
  ASSERT_NE(file, nullptr);
  {
    Progress progress(file);
    progress.Update("verify", 1, 4);
    progress.Clear();
  }
  EXPECT_EQ(ftell(file), 0);
  fclose(file);
}

}  // namespace
}  // namespace modelvault
